package k8sprovisioner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// object is one rendered object. It has exactly the fields that this package owns, as they
// are sent in a server-side apply.
type object struct {
	kind string // e.g. "StatefulSet"
	name string
	body map[string]any // numbers are int64, as in a decoded live object
}

// String returns the kind and the name, for people.
func (o object) String() string { return o.kind + " " + o.name }

// json returns the body to send. Maps are encoded in order of their keys.
func (o object) json() []byte {
	b, err := json.Marshal(o.body)
	if err != nil {
		panic(fmt.Sprintf("encode %v: %v", o, err)) // made of JSON, so it encodes
	}
	return b
}

// hash returns the hash that the object has as an annotation.
func (o object) hash() string {
	h, _ := o.metadata()["annotations"].(map[string]any)[annotationHash].(string)
	return h
}

func (o object) metadata() map[string]any {
	m, _ := o.body["metadata"].(map[string]any)
	return m
}

// newObject turns what was rendered into an object with the hash of all its fields. A field
// that is no longer rendered changes the hash, so that the object is written again, and the
// API server removes the field.
func newObject(rendered live) (object, error) {
	o, err := encoded(rendered)
	if err != nil {
		return o, err
	}
	sum := sha256.Sum256(o.json())
	o.setHash(sum[:8])
	return o, nil
}

// encoded turns what was rendered into an object without a hash.
func encoded(rendered live) (object, error) {
	types, _, err := knownTypes.ObjectKinds(rendered)
	if err != nil {
		return object{}, fmt.Errorf("render %s: %w", rendered.GetName(), err)
	}
	o := object{kind: types[0].Kind, name: rendered.GetName()}
	b, err := json.Marshal(rendered)
	if err == nil {
		err = utiljson.Unmarshal(b, &o.body)
	}
	if err != nil {
		return object{}, fmt.Errorf("render %v: %w", o, err)
	}
	withoutUnsaid(o.body)
	o.body["apiVersion"], o.body["kind"] = types[0].GroupVersion().String(), o.kind
	return o, nil
}

// withoutUnsaid removes what the Go types of Kubernetes' API write although nobody has said
// it: a server-side apply would claim these fields. Where people choose the keys, values are
// texts, and stay.
func withoutUnsaid(v any) {
	switch v := v.(type) {
	case map[string]any:
		if at, there := v["creationTimestamp"]; there && at == nil {
			delete(v, "creationTimestamp")
		}
		if _, is := v["status"].(map[string]any); is {
			delete(v, "status")
		}
		if spec, is := v["spec"].(map[string]any); is && len(spec) == 0 { // of a namespace
			delete(v, "spec")
		}
		for _, inner := range v {
			withoutUnsaid(inner)
		}
	case []any:
		for _, inner := range v {
			withoutUnsaid(inner)
		}
	}
}

// setHash sets the annotation with the hash.
func (o object) setHash(hash []byte) {
	annotations, ok := o.metadata()["annotations"].(map[string]any)
	if !ok {
		annotations = map[string]any{}
		o.metadata()["annotations"] = annotations
	}
	annotations[annotationHash] = hex.EncodeToString(hash)
}

// stamped returns the object to send. It has the stamp of the lease, unless that is empty,
// and the UID and version of the object that was seen, unless that is nil. Neither is
// part of what is compared.
func (o object) stamped(stamp string, seen metav1.Object) object {
	if stamp == "" && seen == nil {
		return o
	}
	o.body = maps.Clone(o.body)
	metadata := maps.Clone(o.metadata())
	if metadata == nil {
		metadata = map[string]any{}
	}
	o.body["metadata"] = metadata
	if stamp != "" {
		annotations, _ := metadata["annotations"].(map[string]any)
		annotations = maps.Clone(annotations)
		if annotations == nil {
			annotations = map[string]any{}
		}
		annotations[annotationEpoch] = stamp
		metadata["annotations"] = annotations
	}
	if seen != nil {
		metadata["uid"] = string(seen.GetUID())
		if v := seen.GetResourceVersion(); v != "" {
			metadata["resourceVersion"] = v
		}
	}
	return o
}

// neverVersion is a version that no object has: the first write to an empty store has the
// next one.
const neverVersion = "1"

// onlyNew returns the object for an apply that creates it, and is refused with a conflict
// if there is one: the API server compares versions where there is an object only. So what
// a former owner has sent, and arrives late, does not undo what the next one has made.
func (o object) onlyNew() object {
	o.body = maps.Clone(o.body)
	metadata := maps.Clone(o.metadata())
	metadata["resourceVersion"] = neverVersion
	o.body["metadata"] = metadata
	return o
}
