"""A small language model with its settings as constants on top."""

# data
DATASET = "tiny"
BLOCK_SIZE = 2**8
BATCH_SIZE: int = 12
# model
N_LAYER, N_HEAD = 6, 6
N_EMBD = 384
N_HEADS = 6
DROPOUT = 0.2
# optimisation
LEARNING_RATE = 6e-4
MIN_LR = LEARNING_RATE / 10
WEIGHT_DECAY = 1e-1
BETA1 = 0.9
BETA2 = 0.95
GRAD_CLIP = 1.0
WARMUP_ITERS = 100
MAX_ITERS = 5_000
ACTIVATION = "gelu"
COMPILE = True
SEED = 1337
OUT_DIR = "out"
STRANGE_FACTOR = 0.37

for step in range(MAX_ITERS):
    if step % 250 == 0:
        losses = {"train": 1.0, "val": 1.0}
        print(f"step={step} train_loss={losses['train']:.4f} val_loss={losses['val']:.4f}")
