// Command testcluster is a Kubernetes control plane in one binary, for tests: it is whatever it is called as.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/etcdmain"
	helmcmd "helm.sh/helm/v4/pkg/cmd"
	helmkube "helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kubectl":
		os.Exit(cli.Run(cmd.NewDefaultKubectlCommand()))
	case "helm":
		os.Exit(helm())
	case "kstatus":
		os.Exit(kstatus())
	default:
		fmt.Fprintf(os.Stderr, "%s: call me as etcd, kube-apiserver, kubectl, helm or kstatus\n", name)
		os.Exit(2)
	}
}

func helm() int {
	helmkube.ManagedFieldsManager = "helm"
	command, err := helmcmd.NewRootCmd(os.Stdout, os.Args[1:], helmcmd.SetupLogging)
	if err == nil {
		err = command.Execute()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// kstatus says what the library that Flux, Argo CD and kpt wait with makes of an object, which comes as
// JSON on standard input.
func kstatus() int {
	var object unstructured.Unstructured
	err := json.NewDecoder(os.Stdin).Decode(&object)
	if err == nil {
		var result *status.Result
		if result, err = status.Compute(&object); err == nil {
			fmt.Println(result.Status)
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
