"""`torchrun` that ends with its launcher: kill -9 of the launcher reaches neither torchrun nor its workers otherwise."""

from rdiverse.training.launch.lifelines import watch_lifelines


def main() -> None:
    """Run torchrun with the arguments of this process."""
    watch_lifelines()
    from torch.distributed import run

    from rdiverse.training.launch import loopback

    loopback.register()
    run.main()


if __name__ == "__main__":
    main()
