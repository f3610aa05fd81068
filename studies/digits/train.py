"""Train a small network on scikit-learn's handwritten digits, epoch by epoch, in plain numpy.

A quarter of the 1,797 images is held out and only ever measured. Knows nothing of sweeps: the
parameters are ordinary arguments and the losses are printed. The seed decides the initial
weights, the order of the batches and the dropout masks; the split is always the same.
"""

import argparse
import os
from itertools import pairwise

# Matrices this small are slower on several threads than on one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from sklearn.datasets import load_digits

CLASSES = 10
HELD_OUT = 450


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--optimizer", choices=["adam", "sgd"], default="adam")
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--momentum", type=float, default=0.9, help="of sgd")
    parser.add_argument("--beta2", type=float, default=0.999, help="of adam")
    parser.add_argument("--hidden", type=int, default=64, help="width of both hidden layers")
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--weight_decay", type=float, default=1e-4)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--label_smoothing", type=float, default=0.05)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SWEEPER_SEED", "0")))
    return parser.parse_args()


def split_digits():
    """Return training images, their labels, validation images and their labels."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32)
    order = np.random.default_rng(20).permutation(len(labels))
    held_out, rest = order[:HELD_OUT], order[HELD_OUT:]
    return images[rest], labels[rest], images[held_out], labels[held_out]


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


class Network:
    """Two hidden layers of rectified units with dropout behind each."""

    def __init__(self, hidden, random):
        sizes = [64, hidden, hidden, CLASSES]
        self.random = random
        self.weights = [
            random.normal(0, np.sqrt(2 / fan_in), (fan_in, fan_out)).astype(np.float32)
            for fan_in, fan_out in pairwise(sizes)
        ]
        self.biases = [np.zeros(size, dtype=np.float32) for size in sizes[1:]]

    def forward(self, images, dropout=0.0):
        """Return the logits and the inputs of each layer, which the gradients need."""
        inputs = [images]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(inputs[-1] @ weight + bias, 0)
            if dropout > 0:
                kept = self.random.random(hidden.shape, dtype=np.float32) >= dropout
                hidden *= kept / np.float32(1 - dropout)
            inputs.append(hidden)
        return inputs[-1] @ self.weights[-1] + self.biases[-1], inputs

    def gradients(self, images, targets, dropout):
        """Return the gradients of the weights, then of the biases."""
        logits, inputs = self.forward(images, dropout)
        delta = (np.exp(log_softmax(logits)) - targets) / np.float32(len(images))
        of_weights, of_biases = [], []
        for layer in reversed(range(len(self.weights))):
            of_weights.insert(0, inputs[layer].T @ delta)
            of_biases.insert(0, delta.sum(axis=0))
            if layer:
                scale = np.float32(1 / (1 - dropout))
                delta = (delta @ self.weights[layer].T) * (inputs[layer] > 0) * scale
        return of_weights + of_biases

    def measure(self, images, labels):
        """Return mean cross-entropy and accuracy."""
        log_probabilities = log_softmax(self.forward(images)[0])
        loss = -log_probabilities[np.arange(len(labels)), labels].mean()
        return float(loss), float((log_probabilities.argmax(axis=1) == labels).mean())


class Sgd:
    """Stochastic gradient descent with momentum."""

    def __init__(self, values, args):
        self.momentum = args.momentum
        self.velocities = [np.zeros_like(value) for value in values]

    def steps(self, gradients):
        """Return what to subtract from each value, before the learning rate."""
        for velocity, gradient in zip(self.velocities, gradients, strict=True):
            velocity *= self.momentum
            velocity += gradient
        return self.velocities


class Adam:
    """Adam with bias correction (Kingma & Ba, arXiv:1412.6980)."""

    def __init__(self, values, args):
        self.beta1, self.beta2 = 0.9, args.beta2
        self.first = [np.zeros_like(value) for value in values]
        self.second = [np.zeros_like(value) for value in values]
        self.count = 0

    def steps(self, gradients):
        """Return what to subtract from each value, before the learning rate."""
        self.count += 1
        steps = []
        for first, second, gradient in zip(self.first, self.second, gradients, strict=True):
            first += (1 - self.beta1) * (gradient - first)
            second += (1 - self.beta2) * (gradient**2 - second)
            size = np.sqrt(second / (1 - self.beta2**self.count)) + 1e-8
            steps.append(first / (1 - self.beta1**self.count) / size)
        return steps


def smoothed(labels, smoothing):
    targets = np.full((len(labels), CLASSES), smoothing / CLASSES, dtype=np.float32)
    targets[np.arange(len(labels)), labels] += 1 - smoothing
    return targets


def train_epoch(network, optimizer, images, targets, args):
    order = network.random.permutation(len(images))
    values = network.weights + network.biases
    for start in range(0, len(order), args.batch_size):
        batch = order[start : start + args.batch_size]
        gradients = network.gradients(images[batch], targets[batch], args.dropout)
        for value, step in zip(values, optimizer.steps(gradients), strict=True):
            # Decoupled from the gradient, as in AdamW (arXiv:1711.05101).
            value *= 1 - args.learning_rate * args.weight_decay
            value -= args.learning_rate * step


def main():
    args = arguments()
    train_images, train_labels, held_out_images, held_out_labels = split_digits()
    network = Network(args.hidden, np.random.default_rng(args.seed))
    optimizer = {"adam": Adam, "sgd": Sgd}[args.optimizer](network.weights + network.biases, args)
    targets = smoothed(train_labels, args.label_smoothing)
    for epoch in range(1, args.epochs + 1):
        train_epoch(network, optimizer, train_images, targets, args)
        loss, accuracy = network.measure(held_out_images, held_out_labels)
        print(f"step={epoch} val_loss={loss:.6f} val_accuracy={accuracy:.6f}", flush=True)


if __name__ == "__main__":
    main()
