"""click, with choices, flags and a pair of names."""

import logging

import click

log = logging.getLogger(__name__)


@click.command()
@click.argument("data", type=click.Path(exists=True))
@click.option("--lr", default=3e-4, type=float, show_default=True)
@click.option("--hidden_size", default=256)
@click.option("--scheduler", type=click.Choice(["cosine", "step", "none"]), default="cosine")
@click.option("--dropout", type=click.FloatRange(0, 1), default=0.1)
@click.option("--amp/--no-amp", default=True)
@click.option("--layers", multiple=True, type=int)
@click.option("--out", "output", default="runs/here")
def main(data, **options):
    """Train."""
    log.info("epoch %d: valid_auc=%.4f, valid_loss=%.4f", 1, 0.5, 0.5)


if __name__ == "__main__":
    main()
