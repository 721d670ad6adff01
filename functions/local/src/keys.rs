//! `carillon keys`: manages the keys of a data folder, also while a server uses it.

use std::path::Path;
use std::process::ExitCode;

use carillon_core::access::{ApiKey, KeyHash, Scope, new_key};
use carillon_core::ports::{Clock, Entropy, KeyStore};
use carillon_embedded::{OsEntropy, SealingKeyFile, Store, SystemClock};

use crate::cli::Keys;
use crate::{Failure, data};

pub(crate) async fn run(command: &Keys) -> Result<ExitCode, Failure> {
    match command {
        Keys::New => {
            let key = new_key(OsEntropy.bits(), OsEntropy.bits());
            println!("{key}\n{}", KeyHash::of(&key));
        }
        Keys::Create { data, name, products, envs, scopes } => {
            let record = ApiKey {
                id: format!("key_{:012x}", OsEntropy.bits() & 0xffff_ffff_ffff),
                name: name.clone(),
                products: products.clone(),
                envs: envs.clone(),
                scopes: scopes.iter().map(|scope| Scope::from(*scope)).collect(),
                created_at: SystemClock.now(),
            };
            let key = new_key(OsEntropy.bits(), OsEntropy.bits());
            store(data.as_deref())?.add(&KeyHash::of(&key), &record).await?;
            println!("{key}");
            eprintln!("Key {} is shown only once: only its hash is stored.", record.id);
        }
        Keys::List { data } => store(data.as_deref())?.list_keys().await?.iter().for_each(show),
        Keys::Revoke { data, id } => {
            if !store(data.as_deref())?.revoke_key(id).await? {
                return Err(format!("there is no key {id}").into());
            }
            eprintln!("Key {id} is revoked.");
        }
        Keys::RotateSealing { data } => {
            println!("{}", SealingKeyFile::rotate(&data::directory(data.as_deref())?)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn store(named: Option<&Path>) -> Result<Store, Failure> {
    Ok(Store::beside(&data::directory(named)?)?)
}

fn show(key: &ApiKey) {
    let scopes: Vec<_> = key.scopes.iter().map(ToString::to_string).collect();
    let (products, envs, scopes) = (key.products.join(","), key.envs.join(","), scopes.join(","));
    println!("{}\t{}\tproducts={products}\tenvs={envs}\tscopes={scopes}\t{}", key.id, key.created_at, key.name);
}
