//! HashiCorp Vault and OpenBao as a source of secretfig.
