from stack.stand_ins import serving
from stack.stand_ins.card_processor_2.app import create_app


def main() -> None:
    """Run until told to stop."""
    options = serving.arguments("card-processor-2")
    listener = serving.listen("card-processor-2", options.port)
    serving.serve("card-processor-2", create_app(options.data, options.port), listener)


if __name__ == "__main__":
    main()
