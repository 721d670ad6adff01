//! `carillon keys`: works on a data folder, also while it is being served.

use std::process::ExitCode;

use carillon_core::access::{ApiKey, KeyHash, Scope, new_key};
use carillon_core::ports::{Clock, Entropy, KeyStore};
use carillon_embedded::{OsEntropy, Store, SystemClock};

use crate::cli::Keys;
use crate::{Failure, data};

pub(crate) async fn run(command: &Keys) -> Result<ExitCode, Failure> {
    let (Keys::Create { data: named, .. } | Keys::List { data: named } | Keys::Revoke { data: named, .. }) = command;
    let directory = data::directory(named.as_deref())?;
    let store = Store::beside(&directory)?;
    match command {
        Keys::Create { name, products, envs, scopes, .. } => {
            let record = ApiKey {
                id: format!("key_{:012x}", OsEntropy.bits() & 0xffff_ffff_ffff),
                name: name.clone(),
                products: products.clone(),
                envs: envs.clone(),
                scopes: scopes.iter().map(|scope| Scope::from(*scope)).collect(),
                created_at: SystemClock.now(),
            };
            let key = new_key(OsEntropy.bits(), OsEntropy.bits());
            store.add(&KeyHash::of(&key), &record).await?;
            println!("{key}");
            eprintln!("Key {} is shown this once; only its hash is kept.", record.id);
        }
        Keys::List { .. } => {
            for key in store.list_keys().await? {
                let scopes: Vec<_> = key.scopes.iter().map(ToString::to_string).collect();
                let (products, envs) = (key.products.join(","), key.envs.join(","));
                println!(
                    "{}\t{}\tproducts={products}\tenvs={envs}\tscopes={}\t{}",
                    key.id,
                    key.created_at,
                    scopes.join(","),
                    key.name
                );
            }
        }
        Keys::Revoke { id, .. } => {
            if !store.revoke_key(id).await? {
                return Err(format!("there is no key {id}").into());
            }
            eprintln!("Key {id} is revoked.");
        }
    }
    Ok(ExitCode::SUCCESS)
}
