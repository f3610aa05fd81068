"""What is put in front of a training script: this folder goes on its PYTHONPATH."""
