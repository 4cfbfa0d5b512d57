//! Standard input as a source.

use std::io::{self, Read};
use std::sync::Arc;
use std::thread::Builder;

use super::{Failure, Health, Sink};
use crate::pipeline::Stream;

/// Read at a time, in bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// Reads standard input on a thread of its own until it ends. The thread can't be stopped while it waits for input; it
/// ends with the process.
pub fn read_stdin(source: &Arc<str>, timezone: &Arc<str>, sink: Arc<dyn Sink>) -> io::Result<()> {
    let source = Arc::clone(source);
    let stream = Stream {
        source: Arc::clone(&source),
        path: None,
        modified: None,
        timezone: Arc::clone(timezone),
        offset: 0,
        whole: false,
    };
    Builder::new().name("stdin".to_owned()).spawn(move || {
        sink.report(&source, Health::Up(true));
        sink.report(&source, Health::CaughtUp);
        read(&mut io::stdin().lock(), stream, &*sink);
        sink.report(&source, Health::Up(false));
    })?;
    Ok(())
}

fn read(input: &mut dyn Read, stream: Stream, sink: &dyn Sink) {
    let source = Arc::clone(&stream.source);
    let id = sink.open(stream);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match input.read(&mut block) {
            Ok(0) => break,
            Ok(length) => {
                sink.push(id, block.get(..length).unwrap_or_default());
                sink.pause();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let message = format!("standard input can't be read: {error}; it is not read any more");
                sink.report(&source, Health::Failed { kind: Failure::Read, message });
                break;
            }
        }
    }
    sink.finish(id);
    sink.pause();
}
