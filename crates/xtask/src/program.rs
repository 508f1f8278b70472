//! Running another program, with its output shown as it comes.

use std::{
    env,
    ffi::OsString,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};

/// A program and its arguments.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
}

impl Program {
    /// A program, to be run at the root of the workspace.
    pub(crate) fn new(name: impl Into<OsString>, args: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut command = Command::new(name.into());
        command.args(args).current_dir(root);
        Self { command }
    }

    /// The cargo that runs us.
    pub(crate) fn cargo(args: &[&str]) -> Self {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut program = Self::new(cargo, args);
        // What cargo has told us about ourselves: build scripts of others look at it, and would build anew
        // for each package that starts cargo.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                program.command.env_remove(&*name);
            }
        }
        program
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Shows what is run, runs it, and waits for its success.
    #[expect(clippy::print_stdout, reason = "what is run belongs to the output")]
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        println!("\n> {}", self.line());
        let status = self
            .command
            .status()
            .with_context(|| format!("cannot run {}", self.line()))?;
        ensure!(status.success(), "`{}` ended with {status}", self.line());
        Ok(())
    }

    /// Runs it, with its complaints shown, and waits for its success; what it prints.
    #[expect(clippy::print_stdout, reason = "what is run belongs to the output")]
    pub(crate) fn output(mut self) -> anyhow::Result<String> {
        println!("> {}", self.line());
        let output = self
            .command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run {}", self.line()))?;
        let status = output.status;
        ensure!(status.success(), "`{}` ended with {status}", self.line());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What it says of itself, on whichever output and with whatever exit code.
    pub(crate) fn words(mut self) -> String {
        let output = self.command.stdin(Stdio::null()).output();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        output.map_or_else(
            |_| String::new(),
            |output| text(&output.stdout) + &text(&output.stderr),
        )
    }

    /// Whether it can be run at all, whatever it says.
    pub(crate) fn exists(mut self) -> bool {
        self.command.stdin(Stdio::null()).output().is_ok()
    }

    /// Whether it runs and succeeds; its output is not shown.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// The command as one would type it.
    fn line(&self) -> String {
        let program = Path::new(self.command.get_program());
        let name = program.file_name().unwrap_or(program.as_os_str());
        let mut line = name.to_string_lossy().into_owned();
        for arg in self.command.get_args() {
            line.push(' ');
            line.push_str(&arg.to_string_lossy());
        }
        line
    }
}
