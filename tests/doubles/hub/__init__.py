"""A strict Hub on the loopback interface: the API of Hugging Face Jobs and repositories, with faults."""
