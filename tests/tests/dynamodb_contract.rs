//! The contract on the AWS adapters: against the emulator, with the table that Terraform makes.
//!
//! Every check has an account of its own, with an empty table of the deployed table's keys and indexes.

use std::ops::Deref;

use carillon_aws::settings::Settings;
use carillon_aws::stack::Stack;
use carillon_tests::deployment::Deployment;

struct Account(Stack);

impl Account {
    async fn new() -> Self {
        let deployed = Deployment::up().await;
        let account = deployed.emulator.new_account();
        account.create_table_like(&deployed.emulator, &deployed.settings.table).await;
        let queue_url = account.create_queue("due").await;
        let sealing_key_id = account.create_key().await;
        Self(Stack::new(&account.clients(), &Settings { queue_url, sealing_key_id, ..deployed.settings }))
    }
}

impl Deref for Account {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.0
    }
}

carillon_tests::contract!(Account::new().await);
