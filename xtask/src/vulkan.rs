//! A Vulkan driver for the tests of the renderer: the machine's own, or else Mesa's driver for the processor (lavapipe), taken
//! out of Debian's packages and not installed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use crate::process;
use crate::workspace::Workspace;

/// The driver, and the loader that programs find it by.
const PACKAGES: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];
/// The driver's library.
const DRIVER: &str = "libvulkan_lvp.so";
/// Bound on one step of the fetching.
const STEP_LIMIT: Duration = Duration::from_secs(900);
/// Where systems keep the manifests of installed drivers.
const MANIFESTS: [&str; 2] = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
/// Tells a complete folder from one whose fetching was cut off.
const READY: &str = ".ready";

/// Variables by which test programs find a driver; with [`EXPECTED`] among them they fail where they find none. The
/// inner error says why there is none.
pub(crate) fn variables(workspace: &Workspace) -> anyhow::Result<Result<Variables, String>> {
    let is_there = env::var_os("VK_DRIVER_FILES").is_some()
        || MANIFESTS
            .iter()
            .any(|folder| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()));
    if is_there {
        // Whether it has a device is for the tests to find out.
        return Ok(Ok(Vec::new()));
    }
    let folder = workspace.keep().join("vulkan");
    if !folder.join(READY).exists()
        && let Err(reason) = fetch(&folder)?
    {
        return Ok(Err(format!(
            "no Vulkan driver, and {reason}; install mesa-vulkan-drivers and libvulkan1"
        )));
    }
    let Some(driver) = find(&folder.join("root"), DRIVER) else {
        return Ok(Err(format!("{} has no {DRIVER}; delete the folder to fetch it again", folder.display())));
    };
    let manifest = folder.join("driver.json");
    let text =
        json!({"file_format_version": "1.0.0", "ICD": {"library_path": driver, "api_version": "1.3.0"}});
    fs::write(&manifest, text.to_string()).with_context(|| format!("cannot write {}", manifest.display()))?;
    let libraries = driver.parent().unwrap_or(&folder).to_owned();
    let before = env::var_os("LD_LIBRARY_PATH")
        .into_iter()
        .flat_map(|paths| env::split_paths(&paths).collect::<Vec<PathBuf>>());
    let libraries = env::join_paths([libraries].into_iter().chain(before)).context("a path has a colon")?;
    Ok(Ok(vec![
        ("VK_DRIVER_FILES", manifest),
        ("LD_LIBRARY_PATH", libraries.into()),
        (EXPECTED, PathBuf::from("1")),
    ]))
}

/// Tells test programs that there is a driver.
const EXPECTED: &str = "SN17_EXPECT_VULKAN";

/// Names and values of variables.
pub(crate) type Variables = Vec<(&'static str, PathBuf)>;

/// Downloads the packages that the system lacks and unpacks them.
fn fetch(folder: &Path) -> anyhow::Result<Result<(), String>> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let packages = folder.join("packages");
    let lists = folder.join("lists");
    for made in [&packages, &lists.join("partial")] {
        fs::create_dir_all(made).with_context(|| format!("cannot make {}", made.display()))?;
    }
    // The system's package lists first; a fresh container has none, and gets some of our own.
    let own = [
        "-o".to_owned(),
        format!("Dir::State::lists={}", lists.display()),
        "-o".to_owned(),
        format!("Dir::Cache={}", folder.join("cache").display()),
    ];
    let mut last = String::new();
    for options in [&[][..], &own[..]] {
        let apt = |arguments: &[&str]| {
            let mut command = Command::new("apt-get");
            command.args(options).args(arguments).current_dir(&packages).env("LC_ALL", "C");
            process::run(&mut command, STEP_LIMIT)
        };
        if !options.is_empty() {
            match apt(&["update", "--quiet"]) {
                Ok(updated) if updated.is_success => {}
                Ok(updated) => return Ok(Err(format!("apt-get update: {}", updated.last_words()))),
                Err(error) => return Ok(Err(format!("apt-get does not run ({error:#})"))),
            }
        }
        let planned =
            match apt(&[&["install", "--simulate", "--no-install-recommends"][..], &PACKAGES].concat()) {
                Ok(planned) => planned,
                Err(error) => return Ok(Err(format!("apt-get does not run ({error:#})"))),
            };
        if !planned.is_success {
            last = format!("apt-get: {}", planned.last_words());
            continue;
        }
        let names = planned_names(&planned.stdout);
        let downloaded = apt(&[&["download", "--quiet"], &names[..]].concat())?;
        if !downloaded.is_success {
            last = format!("apt-get download: {}", downloaded.last_words());
            continue;
        }
        return unpack(folder, &packages);
    }
    Ok(Err(last))
}

/// The packages that apt would install.
fn planned_names(plan: &str) -> Vec<&str> {
    plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next()).collect()
}

fn unpack(folder: &Path, packages: &Path) -> anyhow::Result<Result<(), String>> {
    let root = folder.join("root");
    for entry in fs::read_dir(packages)? {
        let package = entry?.path();
        let unpacked = process::run(Command::new("dpkg-deb").arg("-x").args([&package, &root]), STEP_LIMIT)?;
        if !unpacked.is_success {
            return Ok(Err(format!("dpkg-deb: {}", unpacked.last_words())));
        }
    }
    let ready = folder.join(READY);
    fs::write(&ready, "").with_context(|| format!("cannot write {}", ready.display()))?;
    Ok(Ok(()))
}

/// The file of this name somewhere below a folder.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let kind = entry.file_type().ok()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == name {
                return Some(entry.path());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_what_is_to_be_installed() {
        let plan = "NOTE: This is only a simulation!\nInst libvulkan1 (1.3.239.0-1 Debian:12.1/stable [amd64])\n\
                    Inst libgbm1 [22.3.6-1] (22.3.6-2 Debian:12.1/stable [amd64])\nConf libvulkan1 (1.3.239.0-1)\n";
        assert_eq!(planned_names(plan), ["libvulkan1", "libgbm1"]);
    }

    #[test]
    fn a_driver_is_fetched() {
        if env::var_os("SN17_FULL").is_none() {
            eprintln!(
                "skipped: this fetches packages; SN17_FULL=1 does it, and so does every run of the tests"
            );
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        fetch(&folder.path().join("vulkan")).unwrap().unwrap();
        assert!(find(folder.path(), DRIVER).is_some());
    }

    #[test]
    fn a_file_is_found_below_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("usr/lib/here");
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(find(folder.path(), DRIVER), None);
        fs::write(deep.join(DRIVER), "").unwrap();
        assert_eq!(find(folder.path(), DRIVER), Some(deep.join(DRIVER)));
    }
}
