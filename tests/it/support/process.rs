//! A child process that is ended with its scenario, whatever becomes of it.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts a process whose output goes to a file.
    pub(crate) fn start(
        name: impl Into<String>,
        command: &mut Command,
        output: &Path,
    ) -> anyhow::Result<Self> {
        let name = name.into();
        let file = File::create(output).with_context(|| format!("{}", output.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{name}: cannot start {}", command.get_program().display()))?;
        Ok(Self { child, name })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("{}: cannot wait", self.name))
    }

    /// Sends it a signal. One that has ended already is left alone.
    pub(crate) fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        if self.ended()?.is_none() {
            // Not reaped yet, so the number is still its own.
            let pid = Pid::from_raw(i32::try_from(self.child.id())?);
            kill(pid, signal).with_context(|| format!("{}: cannot signal", self.name))?;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}
