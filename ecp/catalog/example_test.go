package catalog_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/memstore"
)

// A catalog needs no Manager. Whoever changes it is an actor in the context.
func Example() {
	keys, err := ecp.NewKeyRing(ecp.Key{ID: "2026", Secret: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := catalog.New(catalog.Config{Changes: change.New(memstore.New(), slog.Default(), time.Now), Sealer: keys})
	ctx := ecp.WithActor(context.Background(), ecp.System)

	registry := ecp.Registry{Name: "ours", Host: "registry.example.com", User: "robot"}
	if _, err := c.Registries.Create(ctx, registry, "a password"); err != nil {
		fmt.Println(err)
		return
	}
	image := ecp.Image{ID: "ours-5.8.9", Reference: "registry.example.com/emqx:5.8.9", Version: "5.8.9"}
	made, err := c.Images.Create(ctx, image, "")
	fmt.Println(made.Default, made.Revision, err)
	fmt.Println(c.Registries.Delete(ctx, "ours", 0))
	// Output:
	// true 1 <nil>
	// delete registry ours: it is in use by image ours-5.8.9; change or remove what uses it first
}
