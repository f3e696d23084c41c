# Net::Amazon::S3: objects under an encryption, ranges, a list, a presigned URL, and deletes of many. Takes host and port,
# the Region, the bucket and the encryption ('' for none); keys from the environment. Two objects stay there.
use strict;
use warnings;
use LWP::UserAgent;
use Net::Amazon::S3;
use Net::Amazon::S3::Authorization::Basic;
use Net::Amazon::S3::Vendor::Generic;

my ($host, $region, $name, $encryption) = @ARGV;
my $s3 = Net::Amazon::S3->new(
    authorization_context => Net::Amazon::S3::Authorization::Basic->new(
        aws_access_key_id     => $ENV{AWS_ACCESS_KEY_ID},
        aws_secret_access_key => $ENV{AWS_SECRET_ACCESS_KEY},
    ),
    vendor => Net::Amazon::S3::Vendor::Generic->new(
        host                 => $host,
        use_https            => 0,
        use_virtual_host     => 0,
        authorization_method => 'Net::Amazon::S3::Signature::V4',
        default_region       => $region,
    ),
    retry => 0,
);
my $bucket = Net::Amazon::S3::Client->new(s3 => $s3)->bucket(name => $name, region => $region);
my $data   = join '', map { chr int rand 256 } 1 .. 300_000;
my @more   = $encryption ? (encryption => $encryption) : ();

for my $key ('dir/a b+c', 'dir/other', 'gone/1', 'gone/2') {
    $bucket->object(key => $key, content_type => 'text/x', @more)->put($data);
    my $found = $bucket->object(key => $key);
    die "$key is not there"  unless $found->exists;
    die "$key has changed"   unless $found->get eq $data;
    die "$key: a range" unless $bucket->object(key => $key)->range('bytes=100-199')->get eq substr $data, 100, 100;
}
my @listed;
my $stream = $bucket->list({ prefix => 'dir/' });
until ($stream->is_done) { push @listed, map { $_->key . ' ' . $_->size } $stream->items }
die "listed: @listed" unless "@listed" eq 'dir/a b+c 300000 dir/other 300000';
my @then = (localtime time + 86_400)[5, 4, 3];
my $day  = sprintf '%04d-%02d-%02d', $then[0] + 1900, $then[1] + 1, $then[2];
my $url  = $bucket->object(key => 'dir/other', expires => $day)->query_string_authentication_uri;
my $got  = LWP::UserAgent->new->get($url);
die 'by url: ' . $got->status_line . $got->content unless $got->code == 200 && $got->content eq $data;
$bucket->delete_multi_object(map { $bucket->object(key => $_) } 'gone/1', 'gone/2');
die 'not deleted' if $bucket->object(key => 'gone/1')->exists;
