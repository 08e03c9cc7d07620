from tests.integration.conftest import bench, client

__all__ = ["bench", "client"]
