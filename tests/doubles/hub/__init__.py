"""A strict Hub on the loopback interface: Jobs and repositories, with faults to switch on."""
