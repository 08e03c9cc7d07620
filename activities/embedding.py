"""From texts to vectors: a lexical embedder that is always there, an endpoint, or an ONNX model in a folder.

Runs in activities, and wherever a query is embedded. Retries are Temporal's: the endpoint's own are off.
"""

from __future__ import annotations

import asyncio
import math
import zlib
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import numpy as np

from activities.failures import retry_after_of  # placeholder
from agents.errors import ProviderBusy, ProviderRefused, ServiceUnavailable, UnknownModel
from agents.relevance import words
