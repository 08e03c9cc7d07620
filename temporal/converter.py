"""How values become payloads: pydantic's JSON, the same for workers, clients and replays."""

from temporalio.contrib.pydantic import pydantic_data_converter

DATA_CONVERTER = pydantic_data_converter
