package tenancy_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/ecp/tenancy"
)

// An organisation, a project, and a token whose actor may only read in the project.
func Example() {
	changes := change.New(memstore.New(), slog.New(slog.DiscardHandler), time.Now)
	directory := tenancy.NewDirectory(tenancy.DirectoryConfig{Changes: changes})
	accounts := tenancy.NewAccounts(tenancy.AccountsConfig{Changes: changes})

	system := ecp.WithActor(context.Background(), ecp.System)
	_, err := directory.CreateOrg(system, "acme", "")
	fmt.Println(err)
	project, err := directory.CreateProject(system, "acme/iot", "sensors")
	fmt.Println(project.Path, err)
	token, err := accounts.CreateToken(system, tenancy.TokenRequest{
		Name: "dashboard", Grant: ecp.Grant{Role: ecp.RoleUser, Project: "acme/iot"},
	})
	fmt.Println(token.Name, err)

	actor, err := accounts.Authenticate(context.Background(), token.Secret)
	fmt.Println(actor.Name, err)
	_, err = directory.UpdateProject(ecp.WithActor(context.Background(), actor), "acme/iot", "all sensors", 0)
	fmt.Println(err)
	// Output:
	// <nil>
	// acme/iot <nil>
	// dashboard <nil>
	// token:dashboard <nil>
	// change project acme/iot: the role user may not do this; ask somebody with the role org-admin
}
