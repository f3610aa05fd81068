"""tyro over a dataclass, in the manner of single-file reinforcement learning."""

from dataclasses import dataclass

import tyro


@dataclass
class Args:
    """Settings."""

    exp_name: str = "ppo"
    seed: int = 1
    torch_deterministic: bool = True
    env_id: str = "CartPole-v1"
    learning_rate: float = 2.5e-4
    num_envs: int = 4
    gamma: float = 0.99
    anneal_lr: bool = True
    max_grad_norm: float = 0.5
    eps: float = 0.2


args = tyro.cli(Args)
print(f"global_step=10, episodic_return={1.0}")
