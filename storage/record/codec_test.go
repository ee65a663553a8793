package record

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/curfew-id/curfew/storage"
)

// fill gives every field below v a value of its own that is not zero.
func fill(t *testing.T, v reflect.Value, n *int64) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.UnixMilli(1_790_000_000_000 + *n).UTC()))
		return
	case storage.Hash:
		v.Set(reflect.ValueOf(storage.HashOf(string(rune(*n)))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text " + string(rune('a'+*n)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(*n * 1_000_003)
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Uint8:
		v.SetUint('0')
	case reflect.Map:
		v.Set(
			reflect.ValueOf(map[string]any{"address": map[string]any{"locality": "x"}, "phone_number_verified": true}),
		)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("%s cannot be filled", v.Type())
	}
}

// encodedRecords has one of each type that is not JSON.
func encodedRecords() []any {
	return []any{
		&storage.User{},
		&storage.Session{},
		&storage.ClientSession{},
		&storage.Grant{},
		&storage.Token{},
		&storage.Delivery{},
		&storage.Report{},
	}
}

// mustEncode returns the value of a record whose fields are all set.
func mustEncode(t *testing.T, record any) (value []byte, filled reflect.Value) {
	t.Helper()
	n := int64(0)
	filled = reflect.ValueOf(record).Elem()
	fill(t, filled, &n)
	value, err := Encode(filled.Interface())
	must(t, err)
	return value, filled
}

// TestRecordsKeepEveryField fails when a field is added to a record and not to records.go, or when two fields of a
// record have the same number.
func TestRecordsKeepEveryField(t *testing.T) {
	for _, empty := range []bool{false, true} {
		for _, record := range encodedRecords() {
			n, want := int64(0), reflect.ValueOf(record).Elem()
			if !empty {
				fill(t, want, &n)
			}
			switch r := record.(type) {
			case *storage.Session:
				r.ClientSessions = nil // records of their own
			case *storage.Report:
				if empty {
					r.Entries = []storage.ReportEntry{} // never null in JSON
				}
			}
			value, err := Encode(want.Interface())
			must(t, err)
			got := reflect.New(want.Type())
			if err := Decode(value, got.Interface()); err != nil {
				t.Errorf("%s: %v", want.Type(), err)
			}
			if !reflect.DeepEqual(got.Elem().Interface(), want.Interface()) {
				t.Errorf("got %+v, want %+v", got.Elem(), want)
			}
		}
	}
}

// TestReaderSkipsFieldsItDoesNotKnow: a release that knows fewer fields reads the records of one that knows more.
func TestReaderSkipsFieldsItDoesNotKnow(t *testing.T) {
	for _, record := range encodedRecords() {
		value, _ := mustEncode(t, record)
		want := reflect.New(reflect.TypeOf(record).Elem()).Interface()
		must(t, Decode(value, want))
		for _, field := range []protowire.Number{maxFieldNumber, maxFieldNumber + 1, 1000} {
			value = protowire.AppendVarint(protowire.AppendTag(value, field, protowire.VarintType), 7)
			value = protowire.AppendString(protowire.AppendTag(value, field, protowire.BytesType), "new")
		}
		value = protowire.AppendFixed64(protowire.AppendTag(value, maxFieldNumber, protowire.Fixed64Type), 7)
		got := reflect.New(reflect.TypeOf(record).Elem()).Interface()
		must(t, Decode(value, got))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestFieldThatIsMissingIsZero: a record that was written before a field was added is read with the field's zero value.
func TestFieldThatIsMissingIsZero(t *testing.T) {
	value := protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), "app")
	got := storage.Grant{
		ID:      "old",
		Scope:   []string{"old"},
		Created: time.Unix(1, 0),
		Trust:   storage.TokenExpiry{JWT: time.Unix(1, 0)},
	}
	must(t, Decode(value, &got))
	if want := (storage.Grant{Client: "app"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	for _, record := range encodedRecords() {
		value, filled := mustEncode(t, record)
		into := func() any { return reflect.New(filled.Type()).Interface() }
		for i := range value {
			_ = Decode(value[:i], into()) // must not panic
			hurt := append([]byte(nil), value...)
			hurt[i] ^= 0x80
			_ = Decode(hurt, into()) // must not panic
		}
		for name, damaged := range map[string][]byte{
			"cut short":           value[:len(value)-1],
			"a byte too many":     append(bytes.Clone(value), 0),
			"JSON":                []byte("{}"),
			"text where a number": protowire.AppendString(protowire.AppendTag(bytes.Clone(value), timeField(record), protowire.BytesType), "x"),
			"number where text":   protowire.AppendVarint(protowire.AppendTag(bytes.Clone(value), 1, protowire.VarintType), 1),
		} {
			if err := Decode(damaged, into()); err == nil {
				t.Errorf("%s, %s: got no error", filled.Type(), name)
			}
		}
	}
}

// timeField is the number of a field with a time in a record.
func timeField(record any) protowire.Number {
	switch record.(type) {
	case *storage.ClientSession:
		return 4
	case *storage.Grant:
		return 9
	case *storage.Session:
		return 4
	case *storage.Report:
		return 6
	case *storage.Delivery:
		return 12
	default:
		return 8
	}
}

// must stops the test at an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
