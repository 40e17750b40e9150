// The cluster's DNS: CoreDNS with the plugins that a Corefile of this cluster names, and no others.
//
// The stock binary carries fifty plugins with the clients of several clouds; this one shares nearly all of its
// packages with Kubernetes' own binaries and is compiled along with them.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	"github.com/coredns/coredns/coremain"
)

func init() {
	// the order in which a query passes through
	dnsserver.Directives = []string{"bind", "errors", "cache", "kubernetes"}
}

func main() { coremain.Run() }
