package archtest

import (
	"go/ast"
	"slices"
	"testing"
)

// addressReaders are the files that may read the service address of a cluster: one
// checks it, one leads browsers to it, and one tells whether there is any. Nothing
// in the tree may dial it, whatever it holds.
var addressReaders = []string{
	"ecp/fleet/adopted.go", "ecp/access/dashboard.go", "ecp/internal/observed/adopted_info.go", "ecp/feature.go",
}

func TestServiceAddressesAreReadByFew(t *testing.T) {
	found := map[string]bool{}
	for _, p := range packages(t) {
		for _, f := range p.files {
			if f.test {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "ServiceAddress" {
					found[f.path] = true
					if !slices.Contains(addressReaders, f.path) {
						t.Errorf("%s: reads a service address, which is for people's browsers; "+
							"access.Gateway.OpenDashboard leads them there, and nothing may dial it", f.at(s))
					}
				}
				return true
			})
		}
	}
	for _, path := range addressReaders {
		if !found[path] {
			t.Errorf("%s reads no service address; take it off the list", path)
		}
	}
}
