package k8sprovisioner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestContest follows the writes of one object that somebody else undoes at
// once, for as long as half an hour.
func TestContest(t *testing.T) {
	field := []string{"spec.replicas"}
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	end := now.Add(30 * time.Minute)
	var c contest
	writes := 0
	for ; now.Before(end); now = now.Add(20 * time.Millisecond) {
		if c.paused(now, "a", field) {
			require.True(t, c.active(now))
			continue
		}
		c = c.next(now, "a", field)
		writes++
	}
	require.Less(t, writes, 20)
	require.Equal(t, longestPause, c.pause)

	require.True(t, c.paused(now, "a", field))
	require.False(t, c.paused(now, "b", field), "something else is wanted")
	require.False(t, c.paused(now, "a", nil), "the object has gone")
	require.False(t, c.paused(now, "a", []string{"spec.replicas", "spec.selector"}), "another field differs, too")
	require.Zero(t, c.next(now, "b", field).pause)
	require.Equal(t, 1, c.next(now, "a", []string{"spec.selector"}).writes, "another field begins anew")
	require.Zero(t, c.next(now.Add(longestPause*2+contestGap+time.Second), "a", field).pause, "it had stood for long")
	require.False(t, c.active(now.Add(longestPause*2+time.Minute)))

	// Two who undo different fields take turns, and a third one removes the object.
	turns := [][]string{{"spec.type"}, {"metadata.labels.a"}, {gone}}
	c, writes = contest{}, 0
	for i := 0; now.Before(end.Add(30 * time.Minute)); now = now.Add(20 * time.Millisecond) {
		if fields := turns[i%len(turns)]; !c.paused(now, "a", fields) {
			c, i = c.next(now, "a", fields), i+1
			writes++
		}
	}
	require.Less(t, writes, 30)
	require.Equal(t, longestPause, c.pause)

	slow := contest{}
	for range 100 {
		now = now.Add(contestGap + time.Second)
		slow = slow.next(now, "a", field)
	}
	require.Zero(t, slow.pause, "a person who changes something now and then is no contest")
}

// TestRemovedObject: an object that was there and is no more counts once, however
// often it then cannot be made.
func TestRemovedObject(t *testing.T) {
	g := newGlimpse(t, 1)
	o := object{kind: kindConfigMap, name: "a", body: map[string]any{"kind": kindConfigMap, "apiVersion": "v1",
		"metadata": map[string]any{"annotations": map[string]any{annotationHash: "h"}}}}
	fields := func() []string {
		differs, fields := g.p.differs(g.f, o)
		require.True(t, differs)
		return fields
	}
	require.Empty(t, fields(), "it was never there")
	for i := range 3 {
		g.p.recordWritten(testID, o, &corev1.ConfigMap{})
		require.Equal(t, []string{gone}, fields())
		g.p.recordContest(t.Context(), testID, o, fields())
		require.Empty(t, fields())
		require.Equal(t, i+1, g.p.contestOf(testID, o).writes)
	}
	require.Equal(t,
		`somebody else keeps removing ConfigMap a, which was written 3 times; the next time comes 0s after the last`,
		g.p.contestOf(testID, o).report(o.String()).String())
}

func TestManagerOf(t *testing.T) {
	at := func(minute int) *metav1.Time {
		t := metav1.NewTime(time.Date(2026, 11, 28, 0, minute, 0, 0, time.UTC))
		return &t
	}
	entries := []metav1.ManagedFieldsEntry{
		{Manager: fieldManager, Time: at(9), FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:replicas":{}}}`)}},
		{Manager: "kube-controller-manager", Subresource: "status", Time: at(8),
			FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:status":{}}`)}},
		{Manager: "policy-engine", Time: at(1), FieldsV1: &metav1.FieldsV1{Raw: []byte(
			`{"f:metadata":{"f:annotations":{"f:example.com/a":{}}},"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"emqx\"}":{"f:image":{}}}}}}}`)}},
		{Manager: "kubectl", Time: at(2), FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:paused":{}}}`)}},
	}
	for field, want := range map[string]string{
		"spec.template.spec.containers.image": "policy-engine",
		"metadata.annotations.example.com/a":  "policy-engine",
		"spec.paused":                         "kubectl",
		"spec.replicas":                       "kubectl", // removed: whoever wrote last
	} {
		require.Equal(t, want, managerOf(entries, []string{field}), field)
	}
	require.Empty(t, managerOf(entries[:2], []string{"spec.paused"}))
	require.Equal(t, []string{"spec.template.spec.a", "metadata.labels.x/y"},
		fieldsOf([]string{"StatefulSet.spec.template.spec.a=1=2", "StatefulSet.metadata.labels.x/y=<nil>"}))
}
