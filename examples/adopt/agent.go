package main

import (
	"context"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv5"
)

// runAgent is what emqxee-agent does on a broker's host: it registers, and then
// reports and passes calls on until ctx ends. The broker's credentials stay here.
func runAgent(ctx context.Context, server string, token ecp.Secret, e ecp.Endpoint) error {
	hello := agentproto.Hello{Version: "example", Hostname: "localhost"}
	identity, err := agentproto.Register(ctx,
		agentproto.RegisterConfig{URL: server, Token: string(token), Hello: hello})
	if err != nil {
		return err
	}
	broker, err := emqxv5.New(emqxv5.Config{}).Open(e)
	if err != nil {
		return err
	}
	defer broker.Close()
	to, err := url.Parse(e.BaseURL)
	if err != nil {
		return err
	}
	reports := agentproto.NewReportLog(10)
	agent, err := agentproto.NewAgent(agentproto.AgentConfig{
		Identity: identity, Hello: func() agentproto.Hello { return hello }, Reports: reports, API: passOn(to, e),
	})
	if err != nil {
		return err
	}
	reporting, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		keepReporting(reporting, reports, broker)
	}()
	err = agent.Run(ctx)
	stop()
	<-ended
	return err
}

// keepReporting tells every few seconds how the broker is.
func keepReporting(ctx context.Context, reports *agentproto.ReportLog, broker ecp.Broker) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		reports.Append(report(ctx, broker))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func report(ctx context.Context, broker ecp.Broker) agentproto.Report {
	r := agentproto.Report{At: time.Now()}
	d, err := broker.Describe(ctx)
	if err != nil {
		r.Errors = []agentproto.ReportError{{Stage: agentproto.StageNodeConnect, Code: agentproto.CodeUnreachable,
			Message: ecp.MessageOf(err)}}
		return r
	}
	r.Version, r.Edition, r.Connections, r.Limit = d.Version, d.Edition, d.Connections, d.Limit
	for _, n := range d.Nodes {
		r.Members = append(r.Members, agentproto.Member{Name: n.Name, Status: agentproto.MemberStatus(n.Status),
			Version: n.Version, Connections: n.Connections})
	}
	if len(d.Nodes) == 1 { // of several, an agent asks the broker which one it is beside
		r.Node = d.Nodes[0].Name
	}
	return r
}

// passOn lets calls through to the broker, with the credentials that it takes.
func passOn(to *url.URL, e ecp.Endpoint) http.Handler {
	return &httputil.ReverseProxy{Transport: e.Transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
	}}
}
