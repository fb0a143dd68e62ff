//! When the incidents about the server itself open and end.
