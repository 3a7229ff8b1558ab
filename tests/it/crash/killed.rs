//! `kill -9` by somebody else, at a moment that nobody chose.
