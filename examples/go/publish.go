// Publishes three events with franz-go, whose producer is idempotent and waits for all replicas
// unless told otherwise.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Event is the event contract; see `ingester schema`.
type Event struct {
	EventID    uuid.UUID `json:"event_id"` // made once, and kept with the event until it is delivered
	CampaignID string    `json:"campaign_id"`
	EventType  string    `json:"event_type"`
	OccurredAt time.Time `json:"occurred_at"`
	Count      int       `json:"count"`
}

func main() {
	topic := os.Getenv("KAFKA_TOPIC")
	if topic == "" {
		topic = "campaign-events"
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), ",")...),
		kgo.DefaultProduceTopic(topic),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	campaignID := "go-campaign"
	var records []*kgo.Record
	for _, eventType := range []string{"sent", "opened", "replied"} {
		event := Event{uuid.Must(uuid.NewV7()), campaignID, eventType, time.Now().UTC(), 2}
		value, err := json.Marshal(event)
		if err != nil {
			log.Fatal(err)
		}
		// The key is the campaign id: a campaign's events share a partition.
		records = append(records, &kgo.Record{Key: []byte(campaignID), Value: value})
	}
	// Waits for all; where a record was given up, produce the same record again.
	if err := client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("published %d events of %s\n", len(records), campaignID)
}
