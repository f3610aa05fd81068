"""Train a small character transformer on the harbour log, with PyTorch, on a CPU or a GPU.

The last tenth of the text is held out. The constants below are the parameters: sweeper writes
other values into a copy of this file, so that it runs by itself as it stands, in this folder.
"""

import math
import os
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

LEARNING_RATE = 3e-3
SCHEDULE = "cosine"
WARMUP = 0.05  # share of the steps
WEIGHT_DECAY = 0.1
BETA2 = 0.99
BATCH_SIZE = 16
LAYERS = 2
WIDTH = 64
HEADS = 4
DROPOUT = 0.1
CLIP = 1.0

STEPS = 200
EVALUATE_EVERY = 20
CONTEXT = 64
SEED = int(os.environ.get("SWEEPER_SEED", "0"))


class Block(nn.Module):
    """Attention to what came before, then a feed-forward layer, each beside a shortcut."""

    def __init__(self):
        super().__init__()
        self.before_attention = nn.LayerNorm(WIDTH)
        self.project_in = nn.Linear(WIDTH, 3 * WIDTH)
        self.project_out = nn.Linear(WIDTH, WIDTH)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(WIDTH),
            nn.Linear(WIDTH, 4 * WIDTH),
            nn.GELU(),
            nn.Linear(4 * WIDTH, WIDTH),
            nn.Dropout(DROPOUT),
        )

    def forward(self, x):
        """Return what the next block sees."""
        batch, length, _ = x.shape
        query, key, value = (
            part.view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2)
            for part in self.project_in(self.before_attention(x)).chunk(3, dim=-1)
        )
        attended = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.project_out(attended.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.feed_forward(x)


class CharacterModel(nn.Module):
    """Characters and positions in, logits of the next character out."""

    def __init__(self, characters):
        super().__init__()
        self.characters = nn.Embedding(characters, WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, characters))

    def forward(self, x):
        """Return the logits of each next character."""
        positions = torch.arange(x.shape[1], device=x.device)
        return self.head(self.blocks(self.characters(x) + self.positions(positions)))


def encoded_text(device):
    """Return the training text and the held-out text as numbers, and how many there are."""
    text = Path("text.txt").read_text(encoding="utf-8")
    alphabet = {character: number for number, character in enumerate(sorted(set(text)))}
    numbers = torch.tensor([alphabet[character] for character in text], device=device)
    cut = len(numbers) * 9 // 10
    return numbers[:cut], numbers[cut:], len(alphabet)


def loss_of(model, windows):
    logits = model(windows[:, :-1])
    return functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())


def draw(numbers, generator):
    """Return a batch of windows from anywhere in the text."""
    starts = torch.randint(len(numbers) - CONTEXT - 1, (BATCH_SIZE,), generator=generator)
    return torch.stack([numbers[start : start + CONTEXT + 1] for start in starts.tolist()])


@torch.no_grad()
def held_out_loss(model, numbers):
    model.eval()
    windows = numbers.unfold(0, CONTEXT + 1, CONTEXT)
    loss = loss_of(model, windows).item()
    model.train()
    return loss


def scale(step):
    """Return the share of the full learning rate that applies at a step."""
    warmup = max(1, round(WARMUP * STEPS))
    if step < warmup:
        return (step + 1) / warmup
    if SCHEDULE == "constant":
        return 1.0
    progress = (step - warmup) / max(1, STEPS - warmup)
    return 1 - progress if SCHEDULE == "linear" else 0.5 * (1 + math.cos(math.pi * progress))


def main():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Layers this small lose more to waiting threads than they gain.
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    training, held_out, characters = encoded_text(device)
    model = CharacterModel(characters).to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, BETA2), weight_decay=WEIGHT_DECAY
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, scale)
    for step in range(1, STEPS + 1):
        loss = loss_of(model, draw(training, generator))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        scheduler.step()
        if step % EVALUATE_EVERY == 0:
            print(
                f"step={step} val_loss={held_out_loss(model, held_out):.6f} "
                f"train_loss={loss.item():.6f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
