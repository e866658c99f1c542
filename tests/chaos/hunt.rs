//! A proof that cannot fail proves nothing: with one safeguard off the oracle has to find a violation.
