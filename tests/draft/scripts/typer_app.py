"""typer: dashes where nobody says otherwise."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def train(
    lr: float = 1e-3,
    batch_size: int = 32,
    weight_decay: Annotated[float, typer.Option("--weight_decay")] = 0.01,
    label_smoothing: float = typer.Option(0.0, "--label_smoothing"),
    resume: bool = False,
    seed: int = 0,
):
    """Train."""
    print({"epoch": 1, "val_f1": 0.5})


if __name__ == "__main__":
    app()
