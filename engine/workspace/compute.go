package workspace

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Compute is the clusters and warehouses that clients make, such as bundles
// beside their jobs. Each is a name and settings: this machine is behind all
// of them, so that nothing is started or stopped but in what they answer.
type Compute struct{ rec records }

const bucketCompute = "compute" // kind, "/", id → machine

// ComputeKind is what a Machine is asked as.
type ComputeKind string

// The kinds of compute.
const (
	ClusterCompute   ComputeKind = "cluster"
	WarehouseCompute ComputeKind = "warehouse"
)

// Machine is a cluster or a warehouse.
type Machine struct {
	ID      string                     `json:"id"`
	Fields  map[string]json.RawMessage `json:"fields"` // as its maker sent them
	Creator string                     `json:"creator"`
	Stopped bool                       `json:"stopped,omitempty"`
}

const (
	maxMachines = 1000
	maxMachine  = 64 << 10
)

// name is the field that holds what people call it.
func (k ComputeKind) name() string {
	if k == WarehouseCompute {
		return "name"
	}
	return "cluster_name"
}

func (k ComputeKind) missing(id string) error {
	if k == WarehouseCompute {
		return refuse(DoesNotExist, "SQL warehouse %s does not exist.", id)
	}
	return refuse(InvalidParameter, "Cluster %s does not exist", id)
}

// Create keeps a new cluster or warehouse. Warehouses have names, each its own;
// clusters may share theirs.
func (c *Compute) Create(who Identity, k ComputeKind, fields map[string]json.RawMessage) (Machine, error) {
	id, err := randomID()
	if err != nil {
		return Machine{}, err
	}
	m := Machine{ID: id, Creator: who.Name, Fields: fields}
	return m, c.rec.update(func(t tx) error {
		if err := t.belowLimit(bucketCompute, string(k)+"/", maxMachines, "The workspace has %d of these, and cannot have more."); err != nil {
			return err
		}
		return t.writeMachine(k, m)
	})
}

// Edit gives a cluster or warehouse other settings, all of them.
func (c *Compute) Edit(who Identity, k ComputeKind, id string, fields map[string]json.RawMessage) error {
	return c.change(who, k, id, func(t tx, m Machine) error {
		m.Fields = fields
		return t.writeMachine(k, m)
	})
}

// Stop makes a cluster or warehouse answer that it is stopped, or that it runs.
func (c *Compute) Stop(who Identity, k ComputeKind, id string, stopped bool) error {
	return c.change(who, k, id, func(t tx, m Machine) error {
		m.Stopped = stopped
		return t.writeMachine(k, m)
	})
}

// Delete forgets a cluster or warehouse.
func (c *Compute) Delete(who Identity, k ComputeKind, id string) error {
	return c.change(who, k, id, func(t tx, _ Machine) error { return t.delete(bucketCompute, string(k)+"/"+id) })
}

func (c *Compute) change(who Identity, k ComputeKind, id string, fn func(tx, Machine) error) error {
	return c.rec.update(func(t tx) error {
		var m Machine
		ok, err := t.read(bucketCompute, string(k)+"/"+id, &m)
		if err == nil && !ok {
			err = k.missing(id)
		}
		if err == nil && m.Creator != who.Name {
			err = t.requireAdmin(who, "change what "+m.Creator+" owns")
		}
		if err != nil {
			return err
		}
		return fn(t, m)
	})
}

// Get reads a cluster or warehouse.
func (c *Compute) Get(k ComputeKind, id string) (m Machine, err error) {
	err = c.rec.view(func(t tx) error {
		ok, err := t.read(bucketCompute, string(k)+"/"+id, &m)
		if err == nil && !ok {
			err = k.missing(id)
		}
		return err
	})
	return m, err
}

// List yields the clusters or warehouses, in the order of their ids.
func (c *Compute) List(k ComputeKind) (list []Machine, err error) {
	err = c.rec.view(func(t tx) error {
		list, err = all[Machine](t, bucketCompute, string(k)+"/")
		return err
	})
	return list, err
}

func (t tx) writeMachine(k ComputeKind, m Machine) error {
	size := 0
	for f, v := range maps.All(m.Fields) {
		size += len(f) + len(v)
	}
	if size > maxMachine {
		return refuse(InvalidParameter, "A %s has %d bytes of settings; at most %d are allowed.", k, size, maxMachine)
	}
	name := m.Name(k)
	if k == WarehouseCompute {
		if name == "" {
			return refuse(InvalidParameter, "name is missing: a warehouse needs one.")
		}
		others, err := all[Machine](t, bucketCompute, string(k)+"/")
		if err != nil {
			return err
		}
		if slices.ContainsFunc(others, func(o Machine) bool { return o.ID != m.ID && strings.EqualFold(o.Name(k), name) }) {
			return refuse(InvalidParameter, "SQL warehouse with name `%s` already exists", name)
		}
	}
	return t.write(bucketCompute, string(k)+"/"+m.ID, m)
}

// Name is what people call it.
func (m Machine) Name(k ComputeKind) string {
	var name string
	if json.Unmarshal(m.Fields[k.name()], &name) != nil {
		return ""
	}
	return name
}
