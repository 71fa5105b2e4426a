// What the AWS SDK for JavaScript v3 makes of the local cloud; prints one JSON object.
import { readFileSync } from "node:fs";
import * as sdk from "@aws-sdk/client-rekognition";
import { S3Client, CreateBucketCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";

const [portrait, another, collection] = process.argv.slice(2);
const settings = { endpoint: process.env.AWS_ENDPOINT_URL, region: "us-east-1", maxAttempts: 1 };
const client = new sdk.RekognitionClient(settings);
const send = async (name, input) => {
  const answer = await client.send(new sdk[`${name}Command`](input));
  delete answer.$metadata;
  return answer;
};
const seen = {};
const Bytes = readFileSync(portrait);
const CollectionId = collection;

seen.created = await send("CreateCollection", { CollectionId, Tags: { made: "by v3" } });
seen.described = await send("DescribeCollection", { CollectionId });
seen.isDate = seen.described.CreationTimestamp instanceof Date;
seen.collections = await send("ListCollections", {});
const faces = [];
for (const name of ["a", "b", "c"]) {
  const indexed = await send("IndexFaces", { CollectionId, Image: { Bytes }, ExternalImageId: name });
  faces.push(indexed.FaceRecords[0].Face.FaceId);
}
seen.faces = faces;
seen.pages = [];
for await (const page of sdk.paginateListFaces({ client, pageSize: 2 }, { CollectionId })) {
  seen.pages.push(page.Faces.map((face) => face.FaceId));
}
seen.found = await send("SearchFaces", { CollectionId, FaceId: faces[0] });
seen.foundByImage = await send("SearchFacesByImage", { CollectionId, Image: { Bytes: readFileSync(another) } });
seen.detected = await send("DetectFaces", { Image: { Bytes } });
seen.compared = await send("CompareFaces", { SourceImage: { Bytes }, TargetImage: { Bytes: readFileSync(another) } });
await send("CreateUser", { CollectionId, UserId: "u" });
seen.associated = await send("AssociateFaces", { CollectionId, UserId: "u", FaceIds: [faces[0]] });
seen.users = await send("ListUsers", { CollectionId });
seen.foundUsers = await send("SearchUsers", { CollectionId, FaceId: faces[1] });
seen.foundUsersByImage = await send("SearchUsersByImage", { CollectionId, Image: { Bytes } });
seen.kept = await send("DeleteFaces", { CollectionId, FaceIds: [faces[0], faces[1]] });
seen.released = await send("DisassociateFaces", { CollectionId, UserId: "u", FaceIds: [faces[0]] });
await send("DeleteUser", { CollectionId, UserId: "u" });
const ResourceArn = seen.described.CollectionARN;
await send("TagResource", { ResourceArn, Tags: { more: "yes" } });
await send("UntagResource", { ResourceArn, TagKeys: ["made"] });
seen.tags = await send("ListTagsForResource", { ResourceArn });

const s3 = new S3Client({ ...settings, forcePathStyle: true });
await s3.send(new CreateBucketCommand({ Bucket: collection }));
await s3.send(new PutObjectCommand({ Bucket: collection, Key: "a b.jpg", Body: Bytes, Metadata: { who: "v3" } }));
const object = await s3.send(new GetObjectCommand({ Bucket: collection, Key: "a b.jpg" }));
seen.object = [object.Metadata, (await object.Body.transformToByteArray()).length === Bytes.length];
const Image = { S3Object: { Bucket: collection, Name: "a b.jpg" } };
seen.fromBucket = (await send("DetectFaces", { Image })).FaceDetails.length;

seen.deleted = await send("DeleteCollection", { CollectionId });
const error = async (name, input) => {
  try {
    return await send(name, input);
  } catch (caught) {
    return [caught.name, caught.message, caught.$metadata.httpStatusCode, caught instanceof sdk.RekognitionServiceException];
  }
};
seen.missing = await error("ListFaces", { CollectionId });
seen.invalid = await error("ListFaces", { CollectionId: "a/b" });
seen.isTyped = await send("DescribeCollection", { CollectionId }).catch((e) => e instanceof sdk.ResourceNotFoundException);
console.log(JSON.stringify(seen));
