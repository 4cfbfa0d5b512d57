//! Whose log a file is: container, pod and namespace, as docker and the kubelet put them into its path.
//!
//! For people only, and never a label: pods come and go.

use serde::Serialize;

/// How many digits of a container's id are shown: as many as `docker ps` shows.
const ID_DIGITS: usize = 12;

/// Who wrote a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Container<'a> {
    /// The pod's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<&'a str>,
    /// The pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<&'a str>,
    /// The container's name, or the beginning of its id where the path has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<&'a str>,
}

impl<'a> Container<'a> {
    /// Reads a path; all of it is unknown for any other file.
    pub fn of_path(path: &'a str) -> Self {
        Self::of_containers(path).or_else(|| Self::of_pods(path)).or_else(|| Self::of_docker(path)).unwrap_or_default()
    }

    /// `/var/log/containers/<pod>_<namespace>_<container>-<id>.log`.
    fn of_containers(path: &'a str) -> Option<Self> {
        let (folder, file) = path.rsplit_once('/')?;
        if !folder.ends_with("/containers") {
            return None;
        }
        let (name, id) = file.strip_suffix(".log")?.rsplit_once('-')?;
        let [pod, namespace, container] = parts(name, '_')?;
        is_id(id).then_some(Self { namespace: Some(namespace), pod: Some(pod), container: Some(container) })
    }

    /// `/var/log/pods/<namespace>_<pod>_<uid>/<container>/<restarts>.log`, also rotated.
    fn of_pods(path: &'a str) -> Option<Self> {
        let mut folders = path.rsplit('/');
        let (file, container, pod) = (folders.next()?, folders.next()?, folders.next()?);
        if folders.next()? != "pods" || !file.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let [namespace, pod, _] = parts(pod, '_')?;
        Some(Self { namespace: Some(namespace), pod: Some(pod), container: Some(container) })
    }

    /// `/var/lib/docker/containers/<id>/<id>-json.log`, also rotated.
    fn of_docker(path: &'a str) -> Option<Self> {
        let mut folders = path.rsplit('/');
        let (file, folder) = (folders.next()?, folders.next()?);
        let (id, rest) = file.split_once('-')?;
        let is_log = rest.starts_with("json.log") && folder == id && is_id(id);
        Some(Self { container: id.get(..ID_DIGITS), ..Self::default() }).filter(|_| is_log)
    }
}

/// Three parts, none of them empty.
fn parts(text: &str, by: char) -> Option<[&str; 3]> {
    let mut parts = text.split(by);
    let found = [parts.next()?, parts.next()?, parts.next()?];
    (parts.next().is_none() && found.iter().all(|part| !part.is_empty())).then_some(found)
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[track_caller]
    fn check(path: &str, expected: [Option<&str>; 3]) {
        let path = path.replace("$ID", ID);
        let found = Container::of_path(&path);
        assert_eq!([found.namespace, found.pod, found.container], expected, "{path}");
    }

    #[test]
    fn the_kubelets_and_dockers_paths_name_the_writer() {
        let chat = [Some("prod"), Some("chat-7d9f-x2x"), Some("chat-api")];
        check("/var/log/containers/chat-7d9f-x2x_prod_chat-api-$ID.log", chat);
        check("/var/log/pods/prod_chat-7d9f-x2x_0a1b-2c3d/chat-api/0.log", chat);
        check("/var/log/pods/prod_chat-7d9f-x2x_0a1b-2c3d/chat-api/0.log.20261124-023639.gz", chat);
        check("/var/lib/docker/containers/$ID/$ID-json.log", [None, None, Some("0123456789ab")]);
        check("/var/lib/docker/containers/$ID/$ID-json.log.1", [None, None, Some("0123456789ab")]);
    }

    #[test]
    fn other_files_name_nobody() {
        for path in [
            "/var/log/app/app.log",
            "/var/log/containers/app.log",
            "/var/log/containers/a_b_c-0123.log",
            "/var/log/containers/a_b_c_d-$ID.log",
            "/var/log/pods/a_b/c/0.log",
            "/var/lib/docker/containers/$ID/config.v2.json",
            "NO01010101010101010101010101010101",
            "",
        ] {
            check(path, [None; 3]);
        }
    }
}
