//! A child process that is ended with its scenario, whatever becomes of it.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::Context as _;
use nix::{
    sys::{
        ptrace,
        signal::{Signal, kill},
        wait::{WaitPidFlag, waitpid},
    },
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

    /// Stops one of its threads, by its name; the others run on. It goes on when what is given back is
    /// dropped.
    pub(crate) fn halt_thread(&self, name: &str) -> Halted {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let is_it = |task: &fs::DirEntry| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
        };
        let task = tasks.flatten().find(is_it);
        let task = task.unwrap_or_else(|| panic!("{}: there is no thread {name}", self.name));
        let thread = Pid::from_raw(task.file_name().to_string_lossy().parse().unwrap());
        ptrace::seize(thread, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(thread).unwrap();
        waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        Halted(thread)
    }
}

/// A thread of another process that does not run.
#[derive(Debug)]
pub(crate) struct Halted(Pid);

impl Drop for Halted {
    fn drop(&mut self) {
        let _gone_already = ptrace::detach(self.0, None);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}
