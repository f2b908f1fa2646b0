package k8sprovisioner

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/openecp/openecp/ecp"
)

// DialMQTT implements [ecp.ClientDialer]. It connects to the plain listener of a node.
func (p *Provisioner) DialMQTT(ctx context.Context, id ecp.ID, node string) (net.Conn, error) {
	return p.dialListener(ctx, id, node, ecp.MQTT)
}

// DialMQTTS implements [ecp.TLSDialer].
func (p *Provisioner) DialMQTTS(ctx context.Context, id ecp.ID, node string) (net.Conn, error) {
	return p.dialListener(ctx, id, node, ecp.MQTTS)
}

var _ ecp.TLSDialer = (*Provisioner)(nil)

func (p *Provisioner) dialListener(
	ctx context.Context, id ecp.ID, node string, protocol ecp.Protocol,
) (net.Conn, error) {
	op := "reach " + string(id)
	f, err := p.objectsOf(ctx, id, op, true)
	if err != nil {
		return nil, err
	}
	if f.workload == nil || f.foreign != "" {
		return nil, unavailable(op, "nothing of the cluster runs")
	}
	pod := p.podOf(f, node)
	if pod == nil {
		return nil, unavailable(op, fmt.Sprintf("no pod with an address is node %q", node))
	}
	port := protocol.ContainerPort()
	if p.cfg.Reach != PortForward {
		return dialPod(ctx, "tcp", net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(port)))
	}
	c, err := p.forward(ctx, pod, port)
	if err != nil {
		return nil, err
	}
	return forwardedClient{c}, nil
}

// forwardedClient is a connection through other machines. Any of them may have ended it,
// so that its end does not mean that the node has failed.
type forwardedClient struct{ net.Conn }

// Read reads from the node.
func (c forwardedClient) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		err = unavailable("ask MQTT", "the connection over Kubernetes ended: "+err.Error())
	}
	return n, err
}
