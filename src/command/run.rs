//! `run`, `scan`, `check` and `demo`, from parsed arguments to the modules that do the work.

use std::io;
use std::net::SocketAddr;

use super::arguments::{CheckArgs, CheckFormat, DemoArgs, Global, RunArgs, ScanArgs, ScanFormat};
use super::scan::input::{self, Input};
use super::scan::progress::Progress;
use super::{Exit, Failure, Outcome, check, demo, load_config, output, scan, start_log};
use crate::config::{self, Config, Loaded};
use crate::daemon::{self, Plan, now};
use crate::finding::Finding;
use crate::keyring::Secret;
use crate::pipeline::{Given, Pipeline, Settings};
use crate::report::page::Colour;
use crate::token::{self, Sent};
use crate::validate;

/// Follows logs until it is told to end.
pub(super) fn run(arguments: RunArgs, global: Global) -> Outcome {
    let RunArgs { config: file, paths } = arguments;
    let load = move || Config::load_with_paths(file.as_deref(), &paths);
    let Loaded { config, warnings } = load()?;
    start_log(&global, config.log)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    serve(Plan {
        config,
        load: Box::new(move || load().map_err(|problems| problems.to_string())),
        duration: None,
        door: None,
        bound: Box::new(|_| {}),
    })
}

/// Runs the daemon on logs that write themselves.
pub(super) fn demo(arguments: &DemoArgs, global: Global) -> Outcome {
    let options = demo::Options { listen: arguments.listen, duration: arguments.duration };
    let served = demo::run(options, now, |setup| {
        let text = setup.config_toml.clone();
        let folder = setup.folder.clone();
        let load = move || Config::parse(&text, "demo.toml", &folder, &|_| None);
        let Loaded { config, .. } = load()?;
        start_log(&global.quieter(), config.log)?;
        serve(Plan {
            config,
            load: Box::new(move || load().map_err(|problems| problems.to_string())),
            duration: setup.duration,
            door: None,
            bound: Box::new(move |address: Option<SocketAddr>| {
                if let Some(address) = address {
                    // A closed standard output is no reason to end a demo that serves.
                    _ = output::print(&setup.intro(address));
                }
            }),
        })
    });
    match served {
        Ok(outcome) => outcome,
        Err(demo::Error::Write { path, error }) => {
            Err(Failure::Other(Exit::Io, demo::Error::Write { path, error }.to_string()))
        }
        Err(error @ demo::Error::Random) => Err(Failure::Other(Exit::Unavailable, error.to_string())),
    }
}

fn serve(plan: Plan) -> Outcome {
    let exit = |error: &daemon::Error| match error {
        daemon::Error::Source(..) | daemon::Error::NoStateDir => Exit::Config,
        daemon::Error::State(error) => super::exit_of_state(error),
        daemon::Error::Bind(_) | daemon::Error::System(..) => Exit::Unavailable,
    };
    daemon::run(plan).map(|()| Exit::Ok).map_err(|error| Failure::Other(exit(&error), error.to_string()))
}

/// Scans whole files.
pub(super) fn scan(arguments: ScanArgs) -> Outcome {
    let config = load_config(arguments.config.as_ref())?;
    let inputs = Input::of_arguments(arguments.files);
    let progress = Progress::on_terminal(input::total_size(&inputs));
    let job = scan::Job {
        settings: with_random_key(&config)?,
        keyring: config.keyring(),
        timezone: arguments.timezone.into(),
        format: match arguments.format {
            ScanFormat::Text => scan::Format::Text,
            ScanFormat::Json => scan::Format::Json,
            ScanFormat::Ndjson => scan::Format::Ndjson,
            ScanFormat::Prometheus => scan::Format::Prometheus,
        },
        colour: Colour::Always,
    };
    validate::signature::prepare();
    // The colours of text fall away where standard output is no terminal; data have none, and are not searched for them.
    let out: Box<dyn io::Write> = match job.format {
        scan::Format::Text => Box::new(anstream::stdout().lock()),
        scan::Format::Json | scan::Format::Ndjson | scan::Format::Prometheus => Box::new(io::stdout().lock()),
    };
    let scan::Error::Output(error) = match scan::scan(inputs, job, now(), &mut io::BufWriter::new(out), &progress) {
        Ok(tally) => return Ok(unread(&tally.failures)),
        Err(error) => error,
    };
    Err(Failure::Output(error))
}

/// Prints what was not read, and gives the exit code that says it: the first.
fn unread(failures: &[crate::report::tally::Unread]) -> Exit {
    for failure in failures {
        output::print_error(&format!("diag51007: {}: {}", failure.name, failure.message));
    }
    match failures.first().map(|failure| failure.exit_code) {
        None => Exit::Ok,
        Some(66) => Exit::NoInput,
        Some(77) => Exit::NoPermission,
        Some(_) => Exit::Io,
    }
}

/// Checks one token.
pub(super) fn check(arguments: &CheckArgs) -> Outcome {
    let config = load_config(arguments.config.as_ref())?;
    let input = match arguments.token.as_ref().and_then(super::arguments::TokenText::typed) {
        Some(token) => Ok(zeroize::Zeroizing::new(token.as_bytes().to_vec())),
        None => check::read_input(io::stdin().lock()),
    };
    let failed = |error: check::Error| {
        let exit = if matches!(error, check::Error::TooLong) { Exit::Data } else { Exit::Io };
        match error {
            check::Error::Output(error) => Failure::Output(error),
            check::Error::Input(_) | check::Error::TooLong => Failure::Other(exit, error.to_string()),
        }
    };
    let input = input.map_err(failed)?;
    let secret = given_secret(arguments)?;
    validate::signature::prepare();
    let settings = with_random_key(&config)?;
    let (at, product) = (arguments.at.unwrap_or_else(now), arguments.product.unwrap_or_default());
    let options = check::Options {
        format: match arguments.format {
            CheckFormat::Text => check::Format::Text,
            CheckFormat::Json => check::Format::Json,
        },
        colour: Colour::Always,
        claim_of: Finding::claim,
    };
    let judge = |sent: &Sent| {
        let ring = match secret.zip(token::issuer(sent)) {
            Some((secret, issuer)) => config.keyring().with_secret(&issuer, secret),
            None => config.keyring(),
        };
        Pipeline::new(settings, ring).check(&Given { sent: sent.clone(), at, product })
    };
    let outcome = check::check(&input, options, judge, &mut anstream::stdout().lock()).map_err(failed)?;
    Ok(match outcome {
        check::Outcome::Clean => Exit::Ok,
        check::Outcome::Faults => Exit::Faults,
    })
}

/// The secret that the command line points to.
fn given_secret(arguments: &CheckArgs) -> Result<Option<Secret>, Failure> {
    let secret = match (&arguments.secret_file, &arguments.secret_env) {
        (Some(path), _) => config::from_file(path).map_err(|why| format!("--secret-file: {why}")),
        (None, Some(name)) => config::from_environment(name).map_err(|why| format!("--secret-env: {why}")),
        (None, None) => return Ok(None),
    };
    secret.map(Some).map_err(|why| Failure::Other(Exit::Config, why))
}

/// The core's settings with a key for fingerprints that lasts as long as the process.
fn with_random_key(config: &Config) -> Result<Settings, Failure> {
    let mut settings = config.pipeline_settings();
    getrandom::fill(&mut settings.fingerprint_key)
        .map_err(|error| Failure::Other(Exit::Unavailable, format!("the system gives no random bytes: {error}")))?;
    Ok(settings)
}
