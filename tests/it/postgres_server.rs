//! A private PostgreSQL server for tests and benchmarks, shared by all processes of one run.
//!
//! The first process that wants a database starts the server, below the folder for temporary
//! files; a shell watches the runner (`cargo`, `nextest`), stops the server when that is gone, and
//! deletes the folder. The server listens on a Unix socket only and is not durable.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AnyConnection, AssertSqlSafe, Connection};

/// Who runs the server if the tests are run by root, which PostgreSQL refuses.
const UNPRIVILEGED: &str = "postgres";
/// Longest wait for a server to start on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(2);

/// `$1` folder, `$2` runner, `$3…` the command. Two minutes without a new database end it, too, as
/// the runner may be a shell that stays. It ends under the lock that a start takes.
const WATCHED: &str = r#"(
dir=$1; runner=$2; shift 2
"$@" &
server=$!
is_wanted() {
    kill -0 "$runner" && kill -0 "$server" && [ -n "$(find "$dir/used" -mmin -2)" ]
}
exec 9>"$dir.lock"
while :; do
    while is_wanted; do sleep 0.3; done
    flock 9
    is_wanted || break
    flock -u 9
done 2>/dev/null
kill -QUIT "$server"
wait "$server"
rm -rf "$dir" "$dir.lock"
) &"#;

/// The address of a new, empty database.
pub(crate) async fn new_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let dir = tokio::task::spawn_blocking(running_server).await.unwrap();
    let address =
        |database: &str| format!("postgres:///{database}?host={}&user=postgres", dir.display());
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(&address("postgres")).await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    address(&name)
}

/// The folder of this run's server, which is started if it is not there.
fn running_server() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("arouter-postgres-{}", parent_id()));
    let lock = File::create(dir.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !dir.exists() {
        start(&dir);
    }
    File::create(dir.join("used")).unwrap();
    dir
}

fn start(dir: &Path) {
    let bin = binaries();
    fs::create_dir(dir).unwrap();
    File::create(dir.join("used")).unwrap();
    if is_root() {
        // The server writes to the folder, and the socket is in it.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let data = dir.join("data");
    let (data, socket_dir) = (data.to_str().unwrap(), dir.to_str().unwrap());
    let made = unprivileged(&bin.join("initdb"))
        .args(["-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"])
        .args(["--locale=C"])
        .current_dir(dir)
        .output()
        .unwrap();
    if !made.status.success() {
        fs::remove_dir_all(dir).unwrap();
        panic!("initdb: {}", String::from_utf8_lossy(&made.stderr));
    }
    let mut server = unprivileged(&bin.join("postgres"));
    server.args(["-D", data, "-k", socket_dir, "-c", "listen_addresses="]);
    server.args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"]);
    let log = OpenOptions::new().append(true).create(true).open(dir.join("log")).unwrap();
    let watched = Command::new("sh")
        .args(["-c", WATCHED, "sh", socket_dir, &parent_id().to_string()])
        .arg(server.get_program())
        .args(server.get_args())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .current_dir(dir)
        // A key that interrupts the run must not stop the shell before it has cleaned up.
        .process_group(0)
        .status()
        .unwrap();
    assert!(watched.success());
    let deadline = Instant::now() + START_TIMEOUT;
    // The postmaster listens a moment before it takes connections, which it says here.
    let is_ready = || {
        let state = fs::read_to_string(dir.join("data/postmaster.pid")).unwrap_or_default();
        state.lines().any(|line| line.trim() == "ready")
            && UnixStream::connect(dir.join(".s.PGSQL.5432")).is_ok()
    };
    while !is_ready() {
        let log = || fs::read_to_string(dir.join("log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "PostgreSQL does not start: {}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The folder of the server's programs: of the newest version, or in the search path.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |dir: &PathBuf| dir.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).filter(|dir| dir.join("bin/initdb").exists());
    let newest = newest.max_by_key(version).map(|dir| dir.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = || std::env::split_paths(&path).find(|dir| dir.join("initdb").exists());
    newest.or_else(in_path).expect("PostgreSQL is not installed: `make test` installs it for root")
}

fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={UNPRIVILEGED}")).arg(format!("--regid={UNPRIVILEGED}"));
    command.args(["--clear-groups", "--"]).arg(program);
    command
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("Uid:") && words.nth(1) == Some("0")
    })
}
