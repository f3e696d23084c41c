# Objects with the AWS SDK for Ruby in every encryption mode: bodies, files in parts, streams, ranges, copies, URLs and forms,
# lists. Prints one JSON line a step; test_libraries.py says what they are.
require "aws-sdk-kms"
require "aws-sdk-s3"
require "base64"
require "digest"
require "json"
require "net/http"
require "openssl"
require "tempfile"

MIB = 1 << 20
KEY = ENV.fetch("KMS_KEY")
common = {
  endpoint: ENV.fetch("ENDPOINT"),
  region: "us-east-1",
  credentials: Aws::Credentials.new(ENV.fetch("ADMIN_KEY"), ENV.fetch("ADMIN_SECRET")),
  ssl_ca_bundle: ENV.fetch("CA"),
  retry_limit: 0,
}
CLIENT = Aws::S3::Client.new(**common, force_path_style: true)
BUCKET = Aws::S3::Resource.new(client: CLIENT).create_bucket(bucket: "ruby-objects")

# The SDK makes base64 and MD5 of the key itself.
CUSTOMER = { sse_customer_algorithm: "AES256", sse_customer_key: "k" * 32 }.freeze
SOURCE = { copy_source_sse_customer_algorithm: "AES256", copy_source_sse_customer_key: "k" * 32 }.freeze
MODES = {
  "default" => {},
  "sse-s3" => { server_side_encryption: "AES256" },
  "sse-kms-key" => { server_side_encryption: "aws:kms", ssekms_key_id: KEY },
  "bucket-key" => { server_side_encryption: "aws:kms", ssekms_key_id: KEY, bucket_key_enabled: true },
  "sse-c" => CUSTOMER,
}.freeze

def tell(step, **told) = puts(JSON.generate({ step: step, **told }))

# Binary, as the SDK reads; no two parts of it are the same.
def bytes(length, seed) = Random.new(seed).bytes(length)

def refused
  yield
  "nothing was refused"
rescue Aws::S3::Errors::ServiceError => e
  [e.context.http_response.status_code, e.code]
end

def one(name, write)
  read = name == "sse-c" ? CUSTOMER : {}
  small, large = bytes(70_000, 1), bytes(6 * MIB + 3, 2)
  BUCKET.object("#{name}/small").put(body: small, metadata: { "mode" => name }, **write)
  Tempfile.create("large", binmode: true) do |file|
    file.write(large)
    file.flush
    BUCKET.object("#{name}/large").upload_file(file.path, multipart_threshold: 5 * MIB, **write)
  end
  # What it downloads in parts it asks for by number; this version then leaves a customer's key out.
  back = Tempfile.create("back", binmode: true) do |file|
    object = BUCKET.object("#{name}/large")
    read.empty? ? object.download_file(file.path) : object.get(response_target: file.path, **read)
    File.binread(file.path)
  end
  BUCKET.object("#{name}/streamed").upload_stream(part_size: 5 * MIB, **write) do |to|
    to.binmode
    0.step(large.size, MIB) { |from| to << large[from, MIB] }
  end
  got = CLIENT.get_object(bucket: BUCKET.name, key: "#{name}/small", **read)
  range = CLIENT.get_object(bucket: BUCKET.name, key: "#{name}/large", range: "bytes=5242870-5242889", **read).body.read.b
  streamed = CLIENT.get_object(bucket: BUCKET.name, key: "#{name}/streamed", **read).body.read.b
  tell(
    name,
    small: got.body.read.b == small,
    large: back == large,
    range: range == large[5_242_870, 20],
    streamed: streamed == large,
    metadata: got.metadata == { "mode" => name },
    sse: got.server_side_encryption || "#{got.sse_customer_algorithm} of the customer",
    key: got.ssekms_key_id == KEY,
    bucketKey: got.bucket_key_enabled || false,
    length: got.content_length,
  )
end

def copies
  names = MODES.keys
  told = names.each_with_index.map do |from, at|
    to = names[(at + 1) % names.size]
    given = MODES[to].merge(from == "sse-c" ? SOURCE : {})
    CLIENT.copy_object(bucket: BUCKET.name, key: "#{to}/copied", copy_source: "#{BUCKET.name}/#{from}/large", **given)
    read = to == "sse-c" ? CUSTOMER : {}
    [from, to, CLIENT.get_object(bucket: BUCKET.name, key: "#{to}/copied", **read).body.read.b == bytes(6 * MIB + 3, 2)]
  end
  tell("copies", told: told)
end

def http(uri)
  Net::HTTP.start(uri.host, uri.port, use_ssl: true, ca_file: ENV.fetch("CA")) { |connection| yield connection }
end

def urls
  object = BUCKET.object("url")
  put = URI(object.presigned_url(:put, expires_in: 60, server_side_encryption: "aws:kms"))
  sent = http(put) { |c| c.send_request("PUT", put.request_uri, "by url") }
  get = URI(object.presigned_url(:get, expires_in: 60))
  got = http(get) { |c| c.get(get.request_uri) }
  form = BUCKET.presigned_post(key: "form", server_side_encryption: "AES256", content_length_range: 1..100)
  to = URI(form.url)
  request = Net::HTTP::Post.new(to)
  request.set_form(form.fields.to_a + [["file", "by form"]], "multipart/form-data")
  posted = http(to) { |c| c.request(request) }
  shown = [object.server_side_encryption, BUCKET.object("form").server_side_encryption]
  tell("urls", put: sent.code, got: got.body, posted: posted.code, read: BUCKET.object("form").get.body.read, sse: shown)
end

MODES.each { |name, write| one(name, write) }
copies
urls
kms = Aws::KMS::Client.new(**common)
sealed = kms.encrypt(key_id: KEY, plaintext: "secret")
tell("keys", plaintext: kms.decrypt(ciphertext_blob: sealed.ciphertext_blob).plaintext)
tell(
  "refused",
  absent: refused { BUCKET.object("absent").get },
  forgotten: refused { BUCKET.object("sse-c/small").get },
  unknownKey: refused { BUCKET.put_object(key: "x", server_side_encryption: "aws:kms", ssekms_key_id: "bogus") },
  bucket: refused { BUCKET.delete },
)
tell("listed", count: BUCKET.objects.count, prefix: BUCKET.objects(prefix: "sse-s3/").map(&:size))
BUCKET.clear!
BUCKET.delete
tell("removed", exists: BUCKET.exists?)
