"""stomp.py over TCP in its three versions and over WebSocket in its two modes."""

import unittest

from cases import Cases, HeartBeats, Silence


class Stomp10(Cases, unittest.TestCase):
    version = "1.0"


class Stomp11(Cases, HeartBeats, Silence, unittest.TestCase):
    version = "1.1"


class Stomp12(Cases, HeartBeats, Silence, unittest.TestCase):
    version = "1.2"


class TextWebSocket(Cases, unittest.TestCase):
    version = "text WebSocket"


class BinaryWebSocket(Cases, HeartBeats, unittest.TestCase):
    version = "binary WebSocket"
