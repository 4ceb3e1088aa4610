//! What kube-state-rs may, and by which token.

use std::path::PathBuf;

use e2e::servers;

use crate::checker::Checker;
use crate::gate::Gate;
use crate::resources;
use crate::subject::{Subject, everything};
use crate::truth;
use e2e::cluster::Cluster;

/// The user that the 1.36 server's token file names.
const TOKEN: &str = "testbed-token";
const USER: &str = "system:serviceaccount:monitoring:kube-state-rs";

/// A role for each group of resources, so that a single right can be taken.
const ROLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAME}
rules: [{apiGroups: ['*'], resources: [RESOURCES], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NAME}
subjects: [{kind: User, name: 'USER', apiGroup: rbac.authorization.k8s.io}]
---
";

/// A user with a token in a file who may list and watch all resources and nothing else.
pub(crate) struct Account<'c> {
    cluster: &'c Cluster,
    pub(crate) kubeconfig: PathBuf,
    token: PathBuf,
}

impl<'c> Account<'c> {
    pub(crate) fn new(cluster: &'c Cluster) -> Self {
        let (kubeconfig, token) =
            (cluster.folder().join("token.conf"), cluster.folder().join("token"));
        let pki = servers::testbed().join("run/k8s-modern-1/pki/ca.crt");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             clusters: [{{name: c, cluster: {{server: 'https://{}', certificate-authority: {}}}}}]\n\
             users: [{{name: u, user: {{tokenFile: {}}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n",
            cluster.address(),
            pki.display(),
            token.display()
        );
        std::fs::write(&kubeconfig, text).unwrap();
        let account = Self { cluster, kubeconfig, token };
        account.holds(TOKEN);
        account.may("");
        account
    }

    /// The token file is replaced.
    fn holds(&self, token: &str) {
        let next = self.token.with_extension("next");
        std::fs::write(&next, token).unwrap();
        std::fs::rename(&next, &self.token).unwrap();
    }

    /// It may follow everything except one resource.
    fn may(&self, except: &str) {
        let names = resources::ALL.iter().map(|resource| resource.plural);
        let names: Vec<&str> = names.filter(|name| *name != except).collect();
        let role = ROLE.replace("NAME", "e2e-kube-state-rs").replace("USER", USER);
        self.cluster.apply(&role.replace("RESOURCES", &names.join(",")));
    }
}

#[test]
fn a_right_that_is_taken_costs_that_resource_alone_and_comes_back_by_itself() {
    let Some(cluster) = Cluster::modern("RBAC", &[]) else { return };
    let (account, gate) = (Account::new(&cluster), Gate::before(cluster.address()));
    let subject = Subject::with(&account.kubeconfig, everything(), &[&gate.flag()]);
    truth::reached(&cluster, &subject);
    let space = cluster.space("rbac");
    let checker = Checker::start(subject.agent.address, &space.name);
    account.may("configmaps");
    // Rights are asked for when a watch is opened.
    assert!(gate.cut() > 0);
    subject.tells("configmaps", "forbidden");
    let yaml = "apiVersion: v1\nkind: KIND\nmetadata: {name: later, namespace: SPACE}\n---\n";
    let yaml = yaml.replace("SPACE", &space.name);
    cluster.apply(&(yaml.replace("KIND", "ConfigMap") + &yaml.replace("KIND", "Secret")));
    assert_eq!(subject.logged("level=WARN", "configmaps").len(), 1);
    account.may("");
    subject.tells("configmaps", "");
    truth::reached(&cluster, &subject);
    checker.finish("a right taken and given back");
}

#[test]
fn what_is_forbidden_at_the_start_is_one_line_and_follows_once_it_is_allowed() {
    let Some(cluster) = Cluster::modern("RBAC at the start", &[]) else { return };
    let account = Account::new(&cluster);
    account.may("configmaps");
    let subject = Subject::with(&account.kubeconfig, everything(), &[]);
    subject.tells("configmaps", "forbidden");
    assert_eq!(subject.scrape().unwrap().of("kube_configmap_created").count(), 0);
    assert_eq!(subject.logged("level=WARN", "configmaps").len(), 1);
    account.may("");
    truth::reached(&cluster, &subject);
}

#[test]
fn a_token_that_is_replaced_in_its_file_is_used_at_once() {
    let Some(cluster) = Cluster::modern("token rotation", &[]) else { return };
    let (account, gate) = (Account::new(&cluster), Gate::before(cluster.address()));
    let file = servers::testbed().join("run/k8s-modern-1/tokens.csv");
    let known = std::fs::read_to_string(&file).unwrap();
    let subject = Subject::with(&account.kubeconfig, everything(), &[&gate.flag()]);
    let checker = Checker::start(subject.agent.address, "");
    std::fs::write(&file, known.replace(TOKEN, "second-token")).unwrap();
    account.holds("second-token");
    assert!(gate.cut() > 0);
    cluster.everything("e2e-rotated");
    let reached = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        truth::reached(&cluster, &subject);
    }));
    std::fs::write(&file, known).unwrap();
    reached.unwrap();
    checker.finish("a token replaced");
    let refused = subject.logged("level=WARN", "401");
    assert!(refused.is_empty(), "{refused:?}");
}
