from stack.stand_ins import serving
from stack.stand_ins.card_processor.app import create_app


def main() -> None:
    """Run until told to stop."""
    options = serving.arguments("card-processor")
    listener = serving.listen("card-processor", options.port)
    serving.serve("card-processor", create_app(options.data, options.port), listener)


if __name__ == "__main__":
    main()
