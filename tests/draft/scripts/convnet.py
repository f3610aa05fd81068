"""Image classification from scratch, with argparse and the usual flags."""

import argparse

import torch
from torch import nn
from torch import optim


def main():
    """Train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", "--batch_size", type=int, default=64)
    parser.add_argument("--test-batch-size", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--lr", type=float, default=1.0)
    parser.add_argument("--gamma", type=float, default=0.7)
    parser.add_argument("--momentum", type=float, default=0)
    parser.add_argument("--weight_decay", "-wd", type=float, default=5e-4)
    parser.add_argument("--optimizer", choices=("sgd", "adamw", "rmsprop"), default="sgd")
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--no-cuda", action="store_true")
    parser.add_argument("--nesterov", action="store_true", default=False)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=10)
    parser.add_argument("--save_dir", default="./ckpt")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    model = nn.Linear(784, 10)
    optimizer = optim.SGD(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        loss, acc = 1.0 / (epoch + 1), optimizer.defaults["lr"]
        print(f"epoch: {epoch} train_loss: {loss:.4f} test_acc: {100 * acc:.2f}%")


if __name__ == "__main__":
    main()
