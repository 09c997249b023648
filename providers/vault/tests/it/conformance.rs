//! The suite of every source: KV v2, KV v1, and both kinds of roles of a database.

use crate::hop::vault;
use crate::shared::keeps_the_contract;
use secretfig_vault::Auth;

#[tokio::test]
async fn key_value_of_both_kinds_and_both_kinds_of_roles() {
    keeps_the_contract("on vaultrs", |server, token| vault(server, Auth::Token(token.into())).0).await;
}
