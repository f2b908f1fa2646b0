package ecp_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
)

// The edge of a program finds out who calls, and puts the actor into the context. The
// rooms ask it for a right over what is concerned.
func ExampleWithActor() {
	ctx := ecp.WithActor(context.Background(), ecp.Actor{
		Name:   "ann",
		Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "acme/shop"}},
	})
	_, err := ecp.Authorize(ctx, "read cluster", ecp.RightRead, "acme/shop")
	fmt.Println(err)
	_, err = ecp.Authorize(ctx, "create cluster", ecp.RightWrite, "acme/shop")
	fmt.Println(err)
	_, err = ecp.Authorize(ctx, "read cluster", ecp.RightRead, "acme/bank")
	fmt.Println(ecp.CodeOf(err))
	// Output:
	// <nil>
	// create cluster: the role user may not do this; ask somebody with the role project-admin
	// not_found
}

// An implementation returns an [ecp.Error]: its text is for users, its cause is not.
func ExampleError() {
	cause := errors.New("dial tcp 10.0.0.1:6443: connection refused")
	err := error(&ecp.Error{
		Code: ecp.CodeUnavailable, Op: "observe cluster", Message: "Kubernetes does not answer", Cause: cause,
	})
	fmt.Println(ecp.MessageOf(err))
	fmt.Println(errors.Is(err, ecp.ErrUnavailable), errors.Is(err, cause))
	// Output:
	// observe cluster: Kubernetes does not answer
	// true true
}

// Team is a kind of record of an embedder's own, beside those of the Manager.
type Team struct {
	Name  string   `json:"name"`
	Users []string `json:"users"`
}

func (t Team) Describe() (ecp.Kind, string, ecp.Index) { return "team", t.Name, ecp.Index{} }

func (t Team) Copy() ecp.Payload {
	t.Users = append([]string(nil), t.Users...)
	return t
}

// A store that keeps text makes payloads of it with a codec: that of the Manager's
// kinds is fleet.Kinds(), and further ones are copied into it with maps.Copy.
func ExampleCodecOf() {
	kinds := ecp.CodecOf(Team{})
	p, err := kinds.Decode("team", []byte(`{"name":"ops","users":["ann"]}`))
	fmt.Println(p, err)
	_, err = kinds.Decode("squad", nil)
	fmt.Println(err)
	// Output:
	// {ops [ann]} <nil>
	// decode record: unknown kind "squad"
}

// Whatever was read and is written in one transaction is written only where nobody
// has changed it meanwhile.
func ExamplePut() {
	ctx, store := context.Background(), memstore.New()
	err := store.Write(ctx, func(tx ecp.Tx) error {
		if err := ecp.Put(tx, Team{Name: "ops", Users: []string{"ann"}}, 0); err != nil { // 0: it must be new
			return err
		}
		team, version, err := ecp.Get[Team](tx, "ops")
		if err != nil {
			return err
		}
		team.Users = append(team.Users, "bob")
		return ecp.Put(tx, team, version)
	})
	fmt.Println(err)
	err = store.Read(ctx, func(tx ecp.Tx) error {
		for team, err := range ecp.List[Team](tx, ecp.Query{}) {
			fmt.Println(team, err)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// <nil>
	// {ops [ann bob]} <nil>
	// <nil>
}

// Why says which of a cluster's features can be used, and what the others wait for.
func ExampleFeature_Why() {
	v, _ := ecp.ParseVersion("5.8.9")
	fmt.Printf("%q\n", ecp.FeatureScale.Why(ecp.Hosted, v, ecp.Capabilities{}))
	fmt.Println(ecp.FeatureScale.Why(ecp.Adopted, v, ecp.Capabilities{}))
	fmt.Println(ecp.FeatureMonitoring.Why(ecp.Adopted, v, ecp.Capabilities{}))
	// Output:
	// ""
	// only for hosted clusters: this one was made by somebody else
	// needs a connected agent
}
