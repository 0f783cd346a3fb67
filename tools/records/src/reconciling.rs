//! The command that compares shops with the account that they share at their provider, and prints every difference.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use records::comparing::{Compared, Sides};
use records::location::Location;
use records::shop::Shop;
use records::stripe::Account;
use serde_json::json;

/// The store that is compared unless one is named.
const USUAL_STORE: &str = ".spin/sqlite_key_value.db";

#[derive(Args)]
pub struct Arguments {
    /// The address of a shop, whose operator's list is read; several for shops that share the account
    #[arg(long, value_name = "URL")]
    shop: Vec<String>,
    /// The file that has the operator's token, or - for standard input; by default the variable OPERATOR_TOKEN has it.
    /// One for all shops, or one for each in their order
    #[arg(long, value_name = "FILE", requires = "shop")]
    token: Vec<PathBuf>,
    /// A store in which a shop keeps its records, in place of its address; several for shops that share the account
    #[arg(long, value_name = "STORE")]
    store: Vec<Location>,
    /// The file that has the account's secret key, or - for standard input; by default the variable STRIPE_SECRET_KEY
    /// has it
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where Stripe is
    #[arg(long, value_name = "URL", default_value = "https://api.stripe.com")]
    api: String,
    /// After how long what still differs is read for the last time
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=3600))]
    wait: u64,
    /// Print a line of JSON for each difference, and one for the sum
    #[arg(long)]
    json: bool,
}

/// Prints how shops and their Stripe account differ, and answers in how many ways.
pub fn run(arguments: &Arguments) -> Result<usize> {
    let from_input = |file: &&PathBuf| file.as_os_str() == "-";
    let inputs = arguments.token.iter().chain(&arguments.key).filter(from_input).count();
    ensure!(inputs <= 1, "standard input has one secret: name files for the others");
    let key = secret(arguments.key.as_deref(), "--key", "STRIPE_SECRET_KEY")?;
    let account = Account::new(&arguments.api, &key)?;
    let sides = Sides { shops: shops(arguments, account.is_test_mode())?, account };
    let compared = sides.compare(Duration::from_secs(arguments.wait))?;
    print(&compared, arguments.json)?;
    match compared.unreadable_entries {
        0 => Ok(compared.found.len()),
        entries => bail!(
            "{entries} entries of the list of orders cannot be read: their orders are compared only where they were charged"
        ),
    }
}

/// A secret out of a file, of standard input, or of a variable of the environment. None of them is an argument, which other
/// users of a machine see. The name of the file is not told: it may be the secret, by mistake.
fn secret(file: Option<&Path>, option: &str, variable: &str) -> Result<String> {
    let text = match file {
        Some(file) if file.as_os_str() == "-" => {
            io::read_to_string(io::stdin()).with_context(|| format!("the secret of {option} cannot be read"))?
        }
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("the file of {option} cannot be read"))?,
        None => match std::env::var(variable) {
            Ok(text) => text,
            Err(_) => bail!("{option} has to name a file, or {variable} to be set"),
        },
    };
    Ok(text.trim().to_owned())
}

fn shops(arguments: &Arguments, test_mode: bool) -> Result<Vec<Shop>> {
    let Arguments { shop, token, store, .. } = arguments;
    let mut shops: Vec<_> = store.iter().cloned().map(Shop::Stored).collect();
    if shop.is_empty() && store.is_empty() {
        shops.push(Shop::Stored(Location::File(USUAL_STORE.into())));
    }
    ensure!(token.len() <= 1 || token.len() == shop.len(), "--token is to be given once, or once for each --shop");
    let read = |file: Option<&PathBuf>| secret(file.map(PathBuf::as_path), "--token", "OPERATOR_TOKEN");
    let mut usual = None;
    for (index, url) in shop.iter().enumerate() {
        let token = match (&usual, token.get(index)) {
            (Some(token), None) => String::clone(token),
            (_, file) => read(file)?,
        };
        shops.push(Shop::served(url, &token, test_mode)?);
        usual = Some(token);
    }
    Ok(shops)
}

fn print(compared: &Compared, as_json: bool) -> Result<()> {
    let Compared { orders, charges, found, .. } = compared;
    let mut output = io::stdout().lock();
    for difference in found {
        if as_json {
            let mut line = serde_json::to_value(difference)?;
            line["advice"] = difference.kind.advice().into();
            writeln!(output, "{line}")?;
        } else {
            writeln!(output, "{difference}")?;
        }
    }
    let differences = found.len();
    if as_json {
        writeln!(output, "{}", json!({ "orders": orders, "charges": charges, "differences": differences }))?;
    } else {
        writeln!(output, "{orders} orders, {charges} charges, {differences} differences")?;
    }
    Ok(())
}
