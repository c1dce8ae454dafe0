// Package texts lets Amazon SNS carry text messages, under the type and fields of upstream's binding.
//
// Upstream's publishes to the one topic that its component names, and takes nothing but a document with `message` and
// `subject`. Here a request with `toNumber`, as twilio.sms has it, goes to that number; any other is upstream's.
package texts

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/dapr/components-contrib/bindings"
	"github.com/dapr/components-contrib/bindings/aws/sns"
	awscommon "github.com/dapr/components-contrib/common/aws"
	awsauth "github.com/dapr/components-contrib/common/aws/auth"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/metadata"
)

const toNumber = "toNumber"

// Carrier is the binding `aws.sns`.
type Carrier struct {
	bindings.OutputBinding
	log    logger.Logger
	client *sdk.Client
}

type settings struct {
	AccessKey    string `mapstructure:"accessKey"`
	SecretKey    string `mapstructure:"secretKey"`
	SessionToken string `mapstructure:"sessionToken"`
	Region       string `mapstructure:"region" mapstructurealiases:"awsRegion"`
	Endpoint     string `mapstructure:"endpoint"`
}

// New returns a carrier that has yet to be told who we are.
func New(log logger.Logger) bindings.OutputBinding {
	return &Carrier{OutputBinding: sns.NewAWSSNS(log), log: log}
}

// Init reads who we are; it calls nobody.
func (c *Carrier) Init(ctx context.Context, meta bindings.Metadata) error {
	if err := c.OutputBinding.Init(ctx, meta); err != nil {
		return err
	}
	told := settings{}
	if err := metadata.DecodeMetadata(meta.Properties, &told); err != nil {
		return err
	}
	config, err := awscommon.NewConfig(ctx, awsauth.Options{
		Logger:       c.log,
		Properties:   meta.Properties,
		Region:       told.Region,
		Endpoint:     told.Endpoint,
		AccessKey:    told.AccessKey,
		SecretKey:    told.SecretKey,
		SessionToken: told.SessionToken,
	})
	if err != nil {
		return err
	}
	// Whether to try again is the caller's to say: a text message whose answer was lost is not sent twice.
	c.client = sdk.NewFromConfig(config, func(o *sdk.Options) { o.RetryMaxAttempts = 1 })
	return nil
}

// Invoke sends a text message where a number is given.
func (c *Carrier) Invoke(ctx context.Context, request *bindings.InvokeRequest) (*bindings.InvokeResponse, error) {
	number := request.Metadata[toNumber]
	if number == "" {
		return c.OutputBinding.Invoke(ctx, request)
	}
	_, err := c.client.Publish(ctx, &sdk.PublishInput{
		Message:     aws.String(text(request.Data)),
		PhoneNumber: aws.String(number),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"AWS.SNS.SMS.SMSType": {DataType: aws.String("String"), StringValue: aws.String("Transactional")},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("error from aws.sns binding: %w", err)
	}
	return nil, nil
}

func text(data []byte) string {
	said := ""
	if err := json.Unmarshal(data, &said); err == nil {
		return said
	}
	return string(data)
}
