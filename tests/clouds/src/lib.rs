//! Proof that the AWS and the Azure SDK run over the shared transport: see `tests/`.
