// Package client is a client of the JSON API of ecpd, for programs and for the command
// line ecpctl.
//
//	c, err := client.New(client.Config{Server: "https://ecp.example.com", Token: client.Token(secret)})
//	cluster, err := c.CreateCluster(ctx, client.Create{Mode: ecp.Hosted, Name: "sensors", Spec: spec})
//	operation, err := c.WaitOperation(ctx, cluster.OperationID, nil)
//
// What it promises:
//
//   - Every call ends with its context. No goroutine stays behind.
//   - An answer that is not a success is a [Problem], which errors.Is compares with the
//     sentinels of package ecp, such as ecp.ErrNotFound. A server that cannot be reached is an
//     [UnreachableError].
//   - Calls that may be made twice are made again when the server could not be reached, is
//     busy or says when to come back: those that read, and those that carry an idempotency
//     key, which every change has where the API takes one.
//   - Answers are read to a limit. The token stands in no error and in no log.
//
// The words of the API, such as operations, plans and specs, are the types of package ecp.
// What has no method of its own is reached with [Client.Do], and EMQX's own API behind a
// cluster with [Client.Broker].
package client
